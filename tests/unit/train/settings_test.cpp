#include "tsrun/train/settings.h"

#include "tsrun/train/train.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

TrainSettings settings_with(const nlohmann::json& options) { return TrainSettings::from(train_options().resolve(options, "test")); }

TEST(TrainSettings, AreTheDefaultsOfTheTable_WhenNothingIsGiven) {
  const TrainSettings resolved = settings_with(nlohmann::json::object()), bare;
  EXPECT_EQ(resolved.epochs, bare.epochs);
  EXPECT_EQ(resolved.batch_size, bare.batch_size);
  EXPECT_EQ(resolved.optimizer, bare.optimizer);
  EXPECT_EQ(resolved.adamw.epsilon, bare.adamw.epsilon);
  EXPECT_EQ(resolved.adafactor.decay_rate, bare.adafactor.decay_rate);
  EXPECT_EQ(resolved.scheduler, bare.scheduler);
  EXPECT_EQ(resolved.max_grad_norm, bare.max_grad_norm);
  EXPECT_EQ(resolved.precision, bare.precision);
  EXPECT_EQ(resolved.dropout, bare.dropout);
  EXPECT_EQ(resolved.mlm_probability, bare.mlm_probability);
}

TEST(TrainSettings, KnowEveryChoiceOfTheTable) {
  const OptionTable table = train_options();
  for (const char* option : {"optim", "lr_scheduler_type", "precision"})
    for (const std::string& choice : table.find(option)->choices) EXPECT_NO_THROW(settings_with({{option, choice}})) << choice;
  EXPECT_EQ(settings_with({{"optim", "sgd"}}).optimizer, OptimizerKind::sgd);
  EXPECT_EQ(settings_with({{"lr_scheduler_type", "cosine"}}).scheduler, LrScheduler::cosine);
  EXPECT_EQ(settings_with({{"precision", "bf16"}}).precision, Precision::bfloat16);
}

TEST(TrainSettings, KeepWholeTensors_ForAdafactorAlone) {
  for (const char* optimizer : {"adamw", "sgd", "adafactor"})
    EXPECT_EQ(settings_with({{"optim", optimizer}}).needs_whole_tensors(), optimizer == std::string("adafactor"));
}

TEST(Schedule, RisesThenFalls_AsTransformersDoes) {
  EXPECT_DOUBLE_EQ(schedule_factor(LrScheduler::linear, 0, 10, 0), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(LrScheduler::linear, 1, 10, 4), 0.25);
  EXPECT_DOUBLE_EQ(schedule_factor(LrScheduler::linear, 4, 10, 4), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(LrScheduler::linear, 7, 10, 4), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor(LrScheduler::linear, 10, 10, 4), 0.0);
  EXPECT_NEAR(schedule_factor(LrScheduler::cosine, 7, 10, 4), 0.5, 1e-15);
  EXPECT_DOUBLE_EQ(schedule_factor(LrScheduler::constant, 9, 10, 4), 1.0);
  EXPECT_EQ(warmup_steps(0.05, 30), 2);
}

}  // namespace
}  // namespace tsrun
