#include "train/step_plan.h"

#include "tsrun/train/train.h"

#include <gtest/gtest.h>

#include <set>

namespace tsrun::training {
namespace {

StepPlan plan_of(const nlohmann::json& options, int64_t rows = 10) {
  return StepPlan(TrainSettings::from(train_options().resolve(options, "test")), rows, Key::root(1));
}

TEST(StepPlan, CoversEveryRowOnce_InAnEpoch) {
  auto plan = plan_of({{"batch_size", 3}, {"gradient_accumulation_steps", 2}, {"epochs", 2}});
  EXPECT_EQ(plan.steps_per_epoch(), 2);
  EXPECT_EQ(plan.steps(), 4);
  std::multiset<int64_t> rows;
  for (int64_t step = 0; step < 2; ++step) {
    for (const auto& batch : plan.micro_batches(step)) rows.insert(batch.begin(), batch.end());
  }
  EXPECT_EQ(rows, (std::multiset<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(StepPlan, GivesTheSameRows_WhereverItIsEntered) {
  auto whole = plan_of({{"batch_size", 3}});
  for (int64_t step = 0; step < 5; ++step) whole.micro_batches(step);
  auto entered = plan_of({{"batch_size", 3}});
  EXPECT_EQ(entered.micro_batches(5), whole.micro_batches(5));
}

TEST(StepPlan, StopsAtMaxSteps) {
  const auto plan = plan_of({{"batch_size", 3}, {"max_steps", 7}});
  EXPECT_EQ(plan.steps(), 7);
  EXPECT_TRUE(plan.ends_epoch(4));
  EXPECT_FALSE(plan.ends_epoch(7));
  EXPECT_DOUBLE_EQ(plan.epoch_at(6), 1.5);
}

}  // namespace
}  // namespace tsrun::training
