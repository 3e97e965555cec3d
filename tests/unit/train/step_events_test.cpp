#include "tsrun/base/error.h"
#include "unit/train/plugged_training.h"

#include <gmock/gmock.h>

#include <set>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Calls = std::vector<std::string>;

using StepEventsTest = PluggedTraining;

/// Writes down every call.
class Recorder final : public Regularizer {
 public:
  explicit Recorder(Calls* calls) : calls_(calls) {}
  void before_forward(Step&, ForwardPass& pass) override { calls_->push_back(pass.extra ? "again" : "before_forward"); }
  at::Tensor batch_loss(Step& step, ForwardPass& pass) override {
    calls_->push_back("batch_loss");
    EXPECT_TRUE(pass.output.logits.defined());
    if (step.number == 0 && pass.number == 0) pass.again(step.key, {});
    return {};
  }
  at::Tensor step_loss(Step&) override { return calls_->push_back("step_loss"), at::Tensor(); }
  void after_backward(Step& step) override {
    calls_->push_back("after_backward");
    EXPECT_GT(step.blocks.at(0).gradient.abs().sum().item<double>(), 0);
  }
  void before_update(Step&) override { calls_->push_back("before_update"); }
  void after_update(Step&) override { calls_->push_back("after_update"); }
  void epoch_ended(Step& step) override { calls_->push_back("epoch_ended " + std::to_string(step.number)); }

 private:
  Calls* calls_;
};

TEST_F(StepEventsTest, ComeInTheOrderOfTheContract) {
  Calls calls;
  TrainJob run = job("a", {{"max_steps", 1}, {"batch_size", 8}, {"gradient_accumulation_steps", 2}});
  run.plugins.push_back(regularizer("recorder", [&](const MethodInputs&) { return std::make_unique<Recorder>(&calls); }));
  train(std::move(run));
  EXPECT_THAT(calls, ElementsAre("before_forward", "batch_loss", "again", "before_forward", "batch_loss", "step_loss", "after_backward",
                                 "before_update", "after_update"));
}

TEST_F(StepEventsTest, EndAnEpochOnce_AfterItsLastStep) {
  Calls calls;
  TrainJob run = job("a", {{"epochs", 2}, {"batch_size", 48}});
  run.plugins.push_back(regularizer("recorder", [&](const MethodInputs&) { return std::make_unique<Recorder>(&calls); }));
  const int64_t steps = train(std::move(run)).report.steps;
  Calls ends;
  for (const auto& call : calls)
    if (call.starts_with("epoch_ended")) ends.push_back(call);
  EXPECT_THAT(ends, ElementsAre(fmt::format("epoch_ended {}", steps / 2 - 1), fmt::format("epoch_ended {}", steps - 1)));
}

TEST_F(StepEventsTest, ChangeNothing_WhenAPluginDoesNothing) {
  const TrainResult plain = train(job("plain"));
  TrainJob run = job("plugged");
  run.plugins.push_back(regularizer("idle", [](const MethodInputs&) { return std::make_unique<Idle>(); }));
  const TrainResult plugged = train(std::move(run));
  for (const auto& name : plain.last_weights.names())
    EXPECT_TRUE(at::equal(plain.last_weights.at(name), plugged.last_weights.at(name))) << name;
  EXPECT_EQ(toy::bytes_of(scratch.path() / "plain/metrics.jsonl"), toy::bytes_of(scratch.path() / "plugged/metrics.jsonl"));
}

TEST_F(StepEventsTest, ChangeWeightsOfAPass_WithoutTouchingTheLeaves) {
  const std::string name = "classifier.weight";
  TrainJob run = job("a");
  run.plugins.push_back(regularizer("zeroing", [&](const MethodInputs&) { return std::make_unique<Zeroing>(name); }));
  const TrainResult result = train(std::move(run));
  EXPECT_TRUE(at::equal(result.last_weights.at(name), model.weights.at(name)));
}

/// Runs every batch twice more, and notes the key of each pass; with `deep`, asks for a pass inside an extra one.
class Repeating final : public Regularizer {
 public:
  Repeating(std::vector<Key>* keys, bool deep) : keys_(keys), deep_(deep) {}
  void before_forward(Step& step, ForwardPass& pass) override {
    keys_->push_back(step.key);
    if (pass.extra && deep_) pass.again(step.key, {});
  }
  at::Tensor batch_loss(Step& step, ForwardPass& pass) override {
    pass.again(step.key, {});
    pass.again(step.key, {});
    return {};
  }

 private:
  std::vector<Key>* keys_;
  bool deep_;
};

TEST_F(StepEventsTest, GiveEveryPassAKeyOfItsOwn) {
  std::vector<Key> keys;
  TrainJob run = job("a", {{"max_steps", 2}, {"batch_size", 8}, {"gradient_accumulation_steps", 2}});
  run.plugins.push_back(regularizer("repeating", [&](const MethodInputs&) { return std::make_unique<Repeating>(&keys, false); }));
  train(std::move(run));
  std::set<std::pair<uint32_t, uint32_t>> extra;
  for (const Key& key : keys) extra.emplace(key.words()[0], key.words()[1]);
  EXPECT_EQ(keys.size(), 12U);
  EXPECT_EQ(extra.size(), 2U + 8U);  // a step's own passes share the step's key; each of the others has its own
}

TEST_F(StepEventsTest, RefuseAPassInsideAnExtraPass) {
  std::vector<Key> keys;
  TrainJob run = job("a");
  run.plugins.push_back(regularizer("repeating", [&](const MethodInputs&) { return std::make_unique<Repeating>(&keys, true); }));
  try {
    train(std::move(run));
    FAIL() << "it ran";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("again inside an extra pass"));
  }
}

class Pull final : public Regularizer {
 public:
  at::Tensor step_loss(Step& step) override { return step.weights.at("classifier.weight").sum(); }
};

TEST_F(StepEventsTest, AddAStepLossOnce_HoweverManyMicroBatches) {
  const nlohmann::json big = {{"max_steps", 2}, {"batch_size", 16}, {"optim", "sgd"}};
  const nlohmann::json small = {{"max_steps", 2}, {"batch_size", 4}, {"gradient_accumulation_steps", 4}, {"optim", "sgd"}};
  model = toy::tiny_bert({HeadKind::classification, 2}, 0);
  TrainJob one = job("one", big), four = job("four", small);
  for (TrainJob* run : {&one, &four}) {
    run->tune.lr = run->tune.lr_head = 0.1;
    run->plugins.push_back(regularizer("pull", [](const MethodInputs&) { return std::make_unique<Pull>(); }));
  }
  const TrainResult a = train(std::move(one)), b = train(std::move(four));
  EXPECT_TRUE(at::allclose(a.last_weights.at("classifier.weight"), b.last_weights.at("classifier.weight"), 0, 2e-6));
}

/// Halves all learning rates.
class Halving final : public Regularizer {
 public:
  void before_update(Step& step) override { step.rate_factor = 0.5; }
};

TEST_F(StepEventsTest, ScaleTheLearningRatesOfAStep) {
  const nlohmann::json options = {{"max_steps", 1}, {"batch_size", 16}, {"optim", "sgd"}, {"lr_scheduler_type", "constant"}};
  TrainJob whole = job("whole", options), half = job("half", options);
  half.plugins.push_back(regularizer("halving", [](const MethodInputs&) { return std::make_unique<Halving>(); }));
  const TrainResult a = train(std::move(whole)), b = train(std::move(half));
  const at::Tensor start = model.weights.at("classifier.weight");
  const at::Tensor moved = a.last_weights.at("classifier.weight") - start, less = b.last_weights.at("classifier.weight") - start;
  EXPECT_GT(moved.abs().max().item<double>(), 0);
  EXPECT_TRUE(at::allclose(less, moved / 2, 1e-3, 1e-8));
}

/// Doubles the learning rate of the head alone.
class Doubling final : public Regularizer {
 public:
  void before_update(Step& step) override {
    for (Block& block : step.blocks)
      if (block.name == "head") block.rate_factor = 2;
  }
  void after_update(Step& step) override {
    for (const Block& block : step.blocks) EXPECT_DOUBLE_EQ(block.rate, 5e-3 * (block.name == "head" ? 2 : 1)) << block.name;
  }
};

TEST_F(StepEventsTest, ScaleTheLearningRateOfABlock_InOneStep) {
  const nlohmann::json options = {{"max_steps", 1}, {"batch_size", 16}, {"optim", "sgd"}, {"lr_scheduler_type", "constant"}};
  TrainJob plain = job("plain", options), doubled = job("doubled", options);
  doubled.plugins.push_back(regularizer("doubling", [](const MethodInputs&) { return std::make_unique<Doubling>(); }));
  const TrainResult a = train(std::move(plain)), b = train(std::move(doubled));
  const auto moved = [&](const TrainResult& result, const char* name) { return result.last_weights.at(name) - model.weights.at(name); };
  EXPECT_TRUE(at::allclose(moved(b, "classifier.weight"), 2 * moved(a, "classifier.weight"), 1e-3, 1e-8));
  EXPECT_TRUE(at::equal(moved(b, "bert.pooler.dense.weight"), moved(a, "bert.pooler.dense.weight")));
}

TEST_F(StepEventsTest, HaveNoDropout_WhenTheTrainingHasNone) {
  TrainJob run = job("a", {{"max_steps", 1}, {"dropout", false}});
  const auto never = [](Step&, ForwardPass& pass) { EXPECT_FALSE(pass.options.training); };
  class Watching final : public Regularizer {
   public:
    explicit Watching(std::function<void(Step&, ForwardPass&)> see) : see_(std::move(see)) {}
    void before_forward(Step& step, ForwardPass& pass) override { see_(step, pass); }
    at::Tensor batch_loss(Step& step, ForwardPass& pass) override {
      return (pass.loss_of(pass.again(step.key, {})) - pass.task_loss).abs();
    }

   private:
    std::function<void(Step&, ForwardPass&)> see_;
  };
  run.plugins.push_back(regularizer("watching", [&](const MethodInputs&) { return std::make_unique<Watching>(never); }));
  TrainJob plain = job("plain", {{"max_steps", 1}, {"dropout", false}});
  const double without = train(std::move(plain)).last.loss;
  EXPECT_DOUBLE_EQ(train(std::move(run)).last.loss, without);
  EXPECT_NE(train(job("dropout", {{"max_steps", 1}})).last.loss, without);
}

}  // namespace
}  // namespace tsrun
