#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/tune/flat_buffer.h"
#include "unit/train/plugged_training.h"

#include <gmock/gmock.h>

#include <csignal>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using ScopedTraining = PluggedTraining;

bool moved(const TrainResult& result, const Model& model, const std::string& name) {
  return !at::equal(result.last_weights.at(name), model.weights.at(name));
}

TEST_F(ScopedTraining, FreezesLayersFromTheBottom_WithTheEmbeddings) {
  TrainJob run = job("a");
  run.tune.weight_decay = 0.1;  // which must not move frozen weights either
  run.tune.scope.frozen_layers = 1;
  const TrainResult result = train(std::move(run));
  for (const ParameterInfo& info : model.family->parameters()) {
    const bool frozen = info.part == Part::embeddings || info.layer == 0;
    if (!frozen && info.kind != ParameterKind::weight) continue;  // a bias of keys has no gradient
    EXPECT_EQ(moved(result, model, info.name), !frozen) << info.name;
  }
  EXPECT_LT(result.report.degrees_of_freedom, train(job("b")).report.degrees_of_freedom);
}

Scope half_masked(const Model& model, const std::string& name, Freeze freeze) {
  Scope scope;
  scope.freeze = freeze;
  at::Tensor mask = at::zeros_like(model.weights.at(name), at::kBool);
  mask.select(0, 0).fill_(true);
  scope.parameters[name].mask = mask;
  return scope;
}

TEST_F(ScopedTraining, KeepsElementsOutsideTheMask_WhenUpdatesAreFrozen) {
  const std::string name = "bert.encoder.layer.0.attention.self.query.weight";
  for (const Freeze freeze : {Freeze::update, Freeze::state}) {
    TrainJob run = job(std::string(name_of(freeze)));
    run.tune.weight_decay = 0.1;
    run.tune.scope = half_masked(model, name, freeze);
    const TrainResult result = train(std::move(run));
    const at::Tensor before = model.weights.at(name), after = result.last_weights.at(name);
    EXPECT_TRUE(at::equal(after.narrow(0, 1, after.size(0) - 1), before.narrow(0, 1, before.size(0) - 1)));
    EXPECT_FALSE(at::equal(after[0], before[0]));
  }
}

TEST_F(ScopedTraining, LetsDecayMoveElementsOutsideTheMask_WhenGradientsAreFrozen) {
  const std::string name = "bert.encoder.layer.0.attention.self.query.weight";
  TrainJob run = job("a");
  run.tune.weight_decay = 0.1;
  run.tune.scope = half_masked(model, name, Freeze::gradient);
  const TrainResult result = train(std::move(run));
  EXPECT_FALSE(at::equal(result.last_weights.at(name)[1], model.weights.at(name)[1]));
}

TEST_F(ScopedTraining, ScalesTheLearningRateOfAParameter) {
  const std::string name = "classifier.weight";
  const nlohmann::json options = {{"max_steps", 1}, {"batch_size", 16}, {"optim", "sgd"}, {"lr_scheduler_type", "constant"}};
  TrainJob whole = job("whole", options), slow = job("slow", options);
  slow.tune.scope.parameters[name].rate = 0.25;
  const TrainResult a = train(std::move(whole)), b = train(std::move(slow));
  const at::Tensor start = model.weights.at(name);
  EXPECT_TRUE(at::allclose(b.last_weights.at(name) - start, (a.last_weights.at(name) - start) / 4, 1e-3, 1e-8));
}

TEST_F(ScopedTraining, NamesTheNearestParameter) {
  TrainJob run = job("a");
  run.tune.scope.parameters["classifier.weigth"].trained = false;
  EXPECT_THAT(message_of(std::move(run)), HasSubstr("'classifier.weight'"));
}

TEST_F(ScopedTraining, SaysThatAMaskNeverActed) {
  TrainJob run = job("a");
  run.tune.scope = scope_of_parts(*model.family, {Part::head});
  // The mask leaves out one element whose gradient a second plugin sets to zero, as an element that nothing reads would have.
  class Silencing final : public Regularizer {
   public:
    void after_backward(Step& step) override { step.blocks.at(0).gradient[0].zero_(); }
  };
  run.plugins.push_back(regularizer("silencing", [](const MethodInputs&) { return std::make_unique<Silencing>(); }));
  at::Tensor mask = at::ones_like(model.weights.at("classifier.weight"), at::kBool);
  mask.view({-1})[0] = false;
  run.tune.scope.parameters["classifier.weight"].mask = mask;
  EXPECT_THAT(message_of(std::move(run)), HasSubstr("4: toy: the mask never acted"));
}

/// Freezes another half of a layer's parameters every two steps, and counts its choices.
class Alternating final : public Selector {
 public:
  explicit Alternating(Moments moments) : moments_(moments) {}
  std::optional<Scope> scope(Step& step) override {
    if (step.number % 3 != 0) return std::nullopt;
    ++choices_;
    Scope scope;
    scope.moments = moments_;
    for (const ParameterInfo& info : step.family.parameters())
      if (info.layer >= 0 && info.layer != choices_ % 2) scope.parameters[info.name].trained = false;
    return scope;
  }
  PluginState state() const override { return {{"choices", at::full({1}, choices_, at::kLong)}}; }
  void restore(const PluginState& state) override { choices_ = state.at("choices").item<int64_t>(); }

 private:
  Moments moments_;
  int64_t choices_ = 0;
};

TEST_F(ScopedTraining, ResumesToTheSameBits_InTheMiddleOfACycle) {
  watch_interrupts();
  const nlohmann::json options = {{"max_steps", 8}, {"batch_size", 16}};
  for (const Moments moments : {Moments::keep, Moments::drop}) {
    const auto make = [&](const std::string& folder, int64_t stop) {
      TrainJob run = job(folder + std::string(name_of(moments)), options);
      run.plugins.push_back(selector("alternating", [moments](const MethodInputs&) { return std::make_unique<Alternating>(moments); }));
      run.plugins.push_back(regularizer("interrupting", [stop](const MethodInputs&) { return std::make_unique<Interrupting>(stop); }));
      return run;
    };
    const TrainResult whole = train(make("whole", -1));
    EXPECT_THROW(train(make("stopped", 3)), Error);
    clear_interrupt();
    const TrainResult resumed = train(make("stopped", -1));
    for (const auto& name : whole.last_weights.names())
      EXPECT_TRUE(at::equal(whole.last_weights.at(name), resumed.last_weights.at(name))) << name;
    EXPECT_EQ(whole.report.plugins, resumed.report.plugins);
  }
}

/// The first seven elements of every layer's matrices, and every third of the embeddings.
Scope few_entries(const Model& model, bool compact) {
  Scope scope;
  scope.freeze = Freeze::state;
  scope.compact = compact;
  for (const ParameterInfo& info : model.family->parameters()) {
    const bool table = info.part == Part::embeddings;
    if ((info.part != Part::encoder && !table) || info.kind != ParameterKind::weight) continue;
    at::Tensor mask = at::zeros(info.shape, at::kBool);
    (table ? mask.view({-1}).slice(0, 0, std::nullopt, 3) : mask.view({-1}).narrow(0, 0, 7)).fill_(true);
    scope.parameters[info.name].mask = mask;
  }
  return scope;
}

TEST_F(ScopedTraining, MovesChosenEntriesAlike_WhetherCompactOrMasked) {
  const nlohmann::json options = {{"epochs", 2}, {"batch_size", 16}, {"gradient_accumulation_steps", 2}};
  const auto run = [&](bool compact) {
    TrainJob one = job(compact ? "compact" : "masked", options);
    one.tune.weight_decay = 0.1;
    one.tune.scope = few_entries(model, compact);
    return train(std::move(one));
  };
  const TrainResult masked = run(false), compact = run(true);
  for (const auto& name : masked.last_weights.names()) {
    if (name.ends_with("key.bias")) continue;  // has no gradient but rounding, which AdamW makes as large as any
    const at::Tensor a = masked.last_weights.at(name), b = compact.last_weights.at(name);
    EXPECT_TRUE(at::allclose(a, b, 0, 1e-6)) << name << ' ' << (a - b).abs().max().item<double>();
    EXPECT_TRUE(at::equal(a == model.weights.at(name), b == model.weights.at(name))) << name;
  }
  EXPECT_EQ(masked.report.degrees_of_freedom, compact.report.degrees_of_freedom);
  EXPECT_LT(compact.report.trainable, masked.report.trainable);
}

}  // namespace

void PluggedTraining::resumes_under(const Scope& scope) {
  watch_interrupts();
  const auto make = [&](const std::string& folder, int64_t stop) {
    TrainJob run = job(folder, {{"max_steps", 6}, {"batch_size", 16}});
    run.tune.scope = scope;
    run.plugins.push_back(regularizer("interrupting", [stop](const MethodInputs&) { return std::make_unique<Interrupting>(stop); }));
    return run;
  };
  const TrainResult whole = train(make("whole", -1));
  EXPECT_THROW(train(make("stopped", 2)), Error);
  clear_interrupt();
  const TrainResult resumed = train(make("stopped", -1));
  for (const auto& name : whole.last_weights.names())
    EXPECT_TRUE(at::equal(whole.last_weights.at(name), resumed.last_weights.at(name))) << name;
}

namespace {

TEST_F(ScopedTraining, ResumesACompactScopeToTheSameBits) { resumes_under(few_entries(model, true)); }

TEST_F(ScopedTraining, RefusesACompactScopeFromASchedule) {
  TrainJob run = job("a");
  class Compact final : public Selector {
   public:
    explicit Compact(Scope scope) : scope_(std::move(scope)) {}
    std::optional<Scope> scope(Step&) override { return scope_; }

   private:
    Scope scope_;
  };
  run.plugins.push_back(selector("compact", [&](const MethodInputs&) { return std::make_unique<Compact>(few_entries(model, true)); }));
  EXPECT_THAT(message_of(std::move(run)), HasSubstr("2: a compact scope that changes during the training"));
}

/// Keeps in step 1 the largest gradients of this very step, and notes what it is told of its own choice.
class ByGradient final : public Selector {
 public:
  ByGradient(std::string name, Freeze freeze, std::vector<bool>* told, at::Tensor* mask)
      : name_(std::move(name)), freeze_(freeze), told_(told), mask_(mask) {}
  std::optional<Scope> scope_after_backward(Step& step) override {
    told_->push_back(step.chosen != nullptr && at::equal(step.chosen->parameters.at(name_).mask, *mask_));
    if (step.number != 1) return std::nullopt;
    const ParameterInfo* info = find_parameter(step.family, name_);
    const at::Tensor gradient = trained_parameter(step, *info, "test").gradient.abs();
    Scope scope;
    scope.freeze = freeze_;
    scope.parameters[name_].mask = *mask_ = gradient.ge(gradient.median());
    return scope;
  }

 private:
  std::string name_;
  Freeze freeze_;
  std::vector<bool>* told_;
  at::Tensor* mask_;
};

TEST_F(ScopedTraining, MasksThisVeryUpdate_WhenAScopeComesBehindBackward) {
  const std::string name = "bert.encoder.layer.0.attention.self.query.weight";
  std::vector<bool> told;
  at::Tensor mask;
  const auto run_to = [&](int64_t steps, bool plugged) {
    TrainJob run = job(fmt::format("{}{}", steps, plugged),
                       {{"max_steps", steps}, {"batch_size", 16}, {"lr_scheduler_type", "constant"}, {"warmup_ratio", 0}});
    run.tune.weight_decay = 0.1;
    const auto make = [&](const MethodInputs&) { return std::make_unique<ByGradient>(name, Freeze::update, &told, &mask); };
    if (plugged) run.plugins.push_back(selector("by_gradient", make));
    return train(std::move(run)).last_weights.at(name);
  };
  const at::Tensor one = run_to(1, false), three = run_to(3, true), held = mask.logical_not();
  EXPECT_TRUE(one.eq(three).masked_select(held).all().item<bool>()) << "held in steps 1 and 2";
  EXPECT_FALSE(one.eq(three).masked_select(mask).all().item<bool>());
  EXPECT_THAT(told, ElementsAre(false, false, true)) << "of its own choice it is told from the next step on";
  EXPECT_TRUE(at::equal(run_to(1, true), one)) << "one step: it has chosen nothing, and the training stands";
}

/// Gives one scope in its second step, or none.
class Late final : public Selector {
 public:
  explicit Late(Scope scope) : scope_(std::move(scope)) {}
  std::optional<Scope> scope(Step& step) override { return step.number == 1 ? std::optional(scope_) : std::nullopt; }

 private:
  Scope scope_;
};

TEST_F(ScopedTraining, StandsWithoutAScope_AndSaysSo_ButRefusesScopesThatRestrictNothing) {
  const auto late = [&](int64_t steps, const Scope& scope) {
    TrainJob run = job(fmt::format("late-{}", steps), {{"max_steps", steps}, {"batch_size", 32}});
    run.plugins.push_back(selector("late", [scope](const MethodInputs&) { return std::make_unique<Late>(scope); }));
    return run;
  };
  EXPECT_EQ(train(late(1, {})).report.plugins.at(0).value("undecided", false), true);
  EXPECT_THAT(message_of(late(2, {})), HasSubstr("the selector late froze nothing and masked nothing in 2 steps"));
  Scope half;
  half.frozen_layers = 1;
  EXPECT_FALSE(train(late(3, half)).report.plugins.at(0).contains("undecided"));
  TrainJob beside = late(4, half);
  beside.plugins.push_back(selector("idle", [](const MethodInputs&) { return std::make_unique<Late>(Scope()); }));
  EXPECT_THAT(message_of(std::move(beside)), HasSubstr("the selector idle froze nothing and masked nothing in 4 steps"));
}

/// Columns 0 to 8 of a matrix, from step 2 on columns 4 to 12, and from step 4 on the first again.
class Moving final : public Selector {
 public:
  Moving(std::string name, Moments moments) : name_(std::move(name)), moments_(moments) {}
  std::optional<Scope> scope(Step& step) override {
    if (step.number % 2 != 0) return std::nullopt;
    Scope scope;
    scope.freeze = Freeze::state;
    scope.moments = moments_;
    at::Tensor mask = at::zeros(step.weights.at(name_).sizes(), at::kBool);
    mask.narrow(1, step.number == 2 ? 4 : 0, 8).fill_(true);
    scope.parameters[name_].mask = mask;
    return scope;
  }

 private:
  std::string name_;
  Moments moments_;
};

TEST_F(ScopedTraining, CarriesMomentsWhereTheOldAndTheNewMaskMeet) {
  const std::string name = "classifier.weight";
  const auto run = [&](Moments moments) {
    TrainJob one = job(std::string(name_of(moments)), {{"max_steps", 5}, {"batch_size", 16}, {"optim", "sgd"}, {"momentum", 0.9}});
    one.tune.scope = scope_of_parts(*model.family, {Part::head});
    one.tune.lr_head = 1e-3;
    one.plugins.push_back(selector("moving", [&](const MethodInputs&) { return std::make_unique<Moving>(name, moments); }));
    return train(std::move(one)).last_weights.at(name);
  };
  const at::Tensor keep = run(Moments::keep), carry = run(Moments::carry), drop = run(Moments::drop);
  const auto alike = [](const at::Tensor& a, const at::Tensor& b, int64_t begin, int64_t end) {
    return at::allclose(a.narrow(1, begin, end - begin), b.narrow(1, begin, end - begin), 0, 1e-6);
  };
  EXPECT_FALSE(alike(keep, carry, 0, 4));  // they left and came back: their momentum is gone
  EXPECT_TRUE(alike(keep, carry, 4, 8));   // they stayed
  EXPECT_FALSE(alike(keep, drop, 4, 8));
  EXPECT_TRUE(alike(carry, drop, 8, 12));
}

TEST_F(ScopedTraining, GivesSelectorsOfWordEmbeddingsTheWholeMatrix) {
  const auto rows = [&](Wants wants, const std::string& folder) {
    int64_t seen = 0;
    TrainJob run = job(folder, {{"max_steps", 1}, {"batch_size", 16}});
    class Looking final : public Regularizer {
     public:
      explicit Looking(int64_t* rows) : rows_(rows) {}
      void after_backward(Step& step) override { *rows_ = step.weights.at("bert.embeddings.word_embeddings.weight").size(0); }

     private:
      int64_t* rows_;
    };
    run.plugins.push_back(regularizer(
        "looking", [&](const MethodInputs&) { return std::make_unique<Looking>(&seen); }, wants));
    train(std::move(run));
    return seen;
  };
  EXPECT_EQ(rows({}, "whole"), model.weights.at("bert.embeddings.word_embeddings.weight").size(0));
  EXPECT_LE(rows({.whole_vocabulary = false}, "reached"), rows({}, "whole again"));
}

}  // namespace
}  // namespace tsrun
