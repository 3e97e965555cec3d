#include "bits.h"
#include "selector.h"

#include "support/step_goldens.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::dps {
namespace {

using namespace plugin_testing;

using nlohmann::json;

// Without the head: the two rows of a head of two classes have opposite gradients, so that rounding decides between their squares.
const json kBody = {"encoder", "pooler"};
const bool cases = add_selector_case("dps", {{"stage_steps", 2}, {"parts", kBody}}) &&
                   add_selector_case("dps", {{"stage_steps", 1}, {"parts", kBody}, {"granularity", "global"}, {"freeze", "update"}}) &&
                   add_selector_case("dps", {{"variant", "mix"}, {"parts", kBody}, {"stage_steps", 2}, {"penalty_min_steps", 1}}) &&
                   add_selector_case("dps", {{"variant", "mix"}, {"parts", kBody}, {"noise", "element"}, {"freeze", "state"}});

const char* const kQuery = "bert.encoder.layer.0.attention.self.query.weight";
const char* const kHead = "classifier.weight";

/// DPS on two matrices of a small BERT, which are given their gradients by hand.
class Cycle {
 public:
  explicit Cycle(json options, int64_t planned = 100) : planned_(planned) {
    options["patterns"] = {kQuery, kHead};
    const SelectorMethod& method = selector_method("dps");
    selector_ = method.make({*model_.family, model_.weights, Key::root(1), planned}, method.options().resolve(options, "test"));
    for (const char* name : {kQuery, kHead}) {
      weights_.set(name, model_.weights.at(name).clone().requires_grad_(true));
      layout_.add(name, model_.weights.at(name).sizes().vec());
    }
    gradient_ = at::zeros({layout_.total()});
  }
  Selector& selector() { return *selector_; }
  const SmallModel& model() const { return model_; }
  at::Tensor gradient_of(const char* name) {
    const Slice& slice = *layout_.find(name);
    return gradient_.narrow(0, slice.offset, slice.size).view(slice.shape);
  }
  void train(const char* name, bool trained) { weights_.set(name, weights_.at(name).detach().clone().requires_grad_(trained)); }
  Step step(int64_t number) {
    Step step{number, planned_, 0, Key::root(9).split(static_cast<uint64_t>(number)), *model_.family, weights_, {}, 1, false};
    step.blocks.push_back({"encoder", &layout_, at::zeros({layout_.total()}), gradient_, {}, 1e-3, {}, false});
    return step;
  }
  /// One whole step of one micro-batch with this gradient everywhere; the scope that it began with.
  std::optional<Scope> run(int64_t number, const at::Tensor& query, const at::Tensor& head) {
    Step now = step(number);
    auto scope = selector_->scope(now);
    pass(now, 0);
    gradient_of(kQuery).copy_(query);
    gradient_of(kHead).copy_(head);
    selector_->after_backward(now);
    selector_->before_update(now);
    selector_->after_update(now);
    return scope;
  }
  ForwardPass pass(Step& now, int number) {
    ForwardPass pass{model_.batch, 1, number, false, weights_, {}, {}, {}, {}, {}, {}};
    pass.options.training = true;
    selector_->before_forward(now, pass);
    return pass;
  }
  at::Tensor random(const char* name, uint64_t seed) const {
    at::Tensor numbers = at::empty(model_.weights.at(name).sizes(), at::kFloat);
    fill_normal(Key::root(seed).split(name), {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
    return numbers;
  }

 private:
  int64_t planned_;
  SmallModel model_ = small_bert();
  Weights weights_ = model_.weights;
  Layout layout_;
  at::Tensor gradient_;
  std::unique_ptr<Selector> selector_;
};

/// The largest by a full sort.
at::Tensor sorted_mask(const at::Tensor& scores, double frozen) {
  const auto kept = static_cast<int64_t>(std::ceil((1 - frozen) * static_cast<double>(scores.numel())));
  at::Tensor mask = at::zeros({scores.numel()}, at::kBool);
  mask.index_fill_(0, std::get<1>(scores.reshape({-1}).sort(true, 0, true)).narrow(0, 0, kept), true);
  return mask.view(scores.sizes());
}

/// DPS with the noise of the goldens.
StepPlugin as_golden(const std::string& name) {
  const json& arguments = step_goldens().at("cases").at(name).at("arguments");
  json given = {{"freeze_ratio", arguments.at("p")}, {"stage_steps", arguments.at("us")}};
  if (arguments.contains("least")) given.update({{"variant", "mix"}, {"penalty_min_steps", arguments.at("least")}});
  const Options options = selector_method("dps").options().resolve(given, "goldens");
  const auto make = [options](const MethodInputs& inputs) {
    const double p = options.number("freeze_ratio");
    return std::make_unique<dps::DynamicSelection>(
        inputs, masked_parameters(inputs.family, options, "dps"), dps::Settings(options, inputs.steps),
        [p](const Step& step, const ParameterInfo& info) { return golden_kept(info, step.number, p, true); });
  };
  return {"dps", given, {.whole_vocabulary = false}, make, {}};
}

TEST(Dps, EqualsTheReferencesRuleInFloat64) {
  for (const char* name : {"dps_dense", "dps_dense_short", "dps_mix", "dps_mix_penalty"}) expect_step_golden(name, as_golden(name));
}

TEST(Dps, TrainsTheLargestSumsOfSquares_OfTheStageBefore_PerTensor) {
  Cycle cycle(json{{"stage_steps", 2}});
  const auto random = [&](const char* name, uint64_t seed) { return cycle.random(name, seed); };
  EXPECT_FALSE(cycle.run(0, random(kQuery, 0), random(kHead, 0)));
  EXPECT_FALSE(cycle.run(1, random(kQuery, 1), random(kHead, 1)));
  const auto second = cycle.run(2, random(kQuery, 2), random(kHead, 2));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->parameters.size(), 2U);
  for (const char* name : {kQuery, kHead}) {
    const at::Tensor sums = random(name, 0).square() + random(name, 1).square();
    EXPECT_TRUE(at::equal(second->parameters.at(name).mask, sorted_mask(sums, 0.3))) << name;
  }
  EXPECT_FALSE(cycle.run(3, random(kQuery, 3), random(kHead, 3)));
}

TEST(Dps, BeginsEveryCycleAnew_WithTheWholeNetwork) {
  Cycle cycle(json{{"stage_steps", 1}, {"freeze_ratio", 0.5}});
  const auto random = [&](const char* name, uint64_t seed) { return cycle.random(name, seed); };
  cycle.run(0, random(kQuery, 0), random(kHead, 0));
  cycle.run(1, random(kQuery, 1), random(kHead, 1));
  const auto third = cycle.run(2, random(kQuery, 2), random(kHead, 2));
  ASSERT_TRUE(third);
  EXPECT_FALSE(third->restricts(*cycle.model().family));
  const auto fourth = cycle.run(3, random(kQuery, 3), random(kHead, 3));
  EXPECT_TRUE(at::equal(fourth->parameters.at(kQuery).mask, sorted_mask(random(kQuery, 2).square(), 0.5)));
  const double change = cycle.selector().report().at("mask_changes").at(0);
  EXPECT_NEAR(change, 0.5, 0.1);  // two independent halves
}

TEST(Dps, RanksAllTensorsTogether_WhenGlobal) {
  Cycle cycle(json{{"stage_steps", 1}, {"freeze_ratio", 0.5}, {"granularity", "global"}});
  cycle.run(0, cycle.random(kQuery, 0), cycle.random(kHead, 0) * 100);
  const auto scope = cycle.run(1, cycle.random(kQuery, 1), cycle.random(kHead, 1));
  const auto kept = [&](const char* name) { return scope->parameters.at(name).mask.sum().item<int64_t>(); };
  const at::Tensor query = cycle.random(kQuery, 0), head = cycle.random(kHead, 0);
  EXPECT_GT(kept(kHead), head.numel() * 9 / 10);
  EXPECT_EQ(kept(kQuery) + kept(kHead), (query.numel() + head.numel() + 1) / 2);
}

TEST(Dps, BreaksTiesByIndex_OrKeepsThemAllAsTheReferenceDoes) {
  for (const std::string ties : {"index", "all"}) {
    Cycle cycle(json{{"stage_steps", 1}, {"ties", ties}});
    const at::Tensor zeros = at::zeros_like(cycle.random(kQuery, 0)), head = at::ones_like(cycle.random(kHead, 0));
    cycle.run(0, zeros, head);
    const at::Tensor mask = cycle.run(1, zeros, head)->parameters.at(kQuery).mask;
    const int64_t kept = static_cast<int64_t>(std::ceil(0.7 * static_cast<double>(mask.numel())));
    EXPECT_EQ(mask.sum().item<int64_t>(), ties == "all" ? mask.numel() : kept);
    EXPECT_TRUE(mask.reshape({-1}).narrow(0, 0, kept).all().item<bool>());
  }
}

TEST(Dps, SquaresEveryMicroBatch_WhenAsked) {
  for (const std::string squares : {"step", "micro_batch"}) {
    Cycle cycle(json{{"stage_steps", 1}, {"freeze_ratio", 0.5}, {"squares", squares}});
    const at::Tensor a = cycle.random(kQuery, 0), b = cycle.random(kQuery, 1);
    Step now = cycle.step(0);
    cycle.selector().scope(now);
    cycle.pass(now, 0);
    cycle.gradient_of(kQuery).copy_(a);
    cycle.pass(now, 1);
    cycle.gradient_of(kQuery).add_(b);
    cycle.selector().after_backward(now);
    const at::Tensor mask = cycle.run(1, a, cycle.random(kHead, 0))->parameters.at(kQuery).mask;
    const at::Tensor expected = squares == "step" ? (a + b).square() : a.square() + b.square();
    EXPECT_NEAR((mask == sorted_mask(expected, 0.5)).to(at::kFloat).mean().item<double>(), 1, 0.01)
        << squares;  // b is a difference of sums
  }
}

TEST(Dps, PenalisesFrequencyInLongStages) {
  dps::Sums sums{at::tensor({6.0F, 8.0F, 5.0F}), at::tensor({2, 0, 5}, at::kShort)};
  const SelectorMethod& method = selector_method("dps");
  const auto settings = [&](int64_t stage, int64_t least) {
    return dps::Settings(method.options().resolve({{"variant", "mix"}, {"stage_steps", stage}, {"penalty_min_steps", least}}, "test"), 100);
  };
  EXPECT_TRUE(at::allclose(dps::score(sums, settings(49, 50)), at::tensor({3.0F, 8.0F, 1.0F})));
  const double second = std::exp(-2.0 / 50), third = std::exp(-5.0 / 50);
  EXPECT_TRUE(
      at::allclose(dps::score(sums, settings(50, 50)), at::tensor({static_cast<float>(3 * second), 8.0F, static_cast<float>(third)})));
  EXPECT_TRUE(at::allclose(dps::score(sums, settings(50, 0)), at::tensor({3.0F, 8.0F, 1.0F})));
}

TEST(Dps, MixesWholeColumnsWithTheWeightsBeforeTraining_InStageOne) {
  Cycle cycle(json{{"variant", "mix"}, {"stage_steps", 1}});
  Step now = cycle.step(0);
  const_cast<Weights&>(now.weights).set(kQuery, (cycle.model().weights.at(kQuery) + 1).requires_grad_(true));
  const at::Tensor origin = cycle.model().weights.at(kQuery);
  const ForwardPass pass = cycle.pass(now, 0);
  const at::Tensor moved = (pass.weights.at(kQuery) - origin).detach();  // 0, or 1/(1-p) in whole columns
  EXPECT_TRUE(at::allclose(moved, moved.narrow(0, 0, 1).expand_as(moved), 1e-4, 1e-5));
  const at::Tensor kept = moved > 0.5;
  EXPECT_TRUE(at::allclose(moved, kept.to(at::kFloat) / 0.7, 1e-4, 1e-5));
  EXPECT_TRUE(kept.any().item<bool>() && !kept.all().item<bool>());
  EXPECT_TRUE(at::equal(cycle.pass(now, 1).weights.at(kQuery), pass.weights.at(kQuery)));  // another micro-batch
}

TEST(Dps, AmplifiesWhatMovesInStageTwo_OfTheSubnetworkAlone) {
  for (const bool amplify : {true, false}) {
    Cycle cycle(json{{"variant", "mix"}, {"stage_steps", 1}, {"stage2_amplify", amplify}});
    cycle.run(0, cycle.random(kQuery, 0), cycle.random(kHead, 0));
    Step now = cycle.step(1);
    const at::Tensor mask = cycle.selector().scope(now)->parameters.at(kQuery).mask;
    const at::Tensor begin = now.weights.at(kQuery).detach().clone();
    { const_cast<Weights&>(now.weights).set(kQuery, (begin + 1).requires_grad_(true)); }
    const at::Tensor moved = (cycle.pass(now, 0).weights.at(kQuery) - begin).detach();
    EXPECT_TRUE(at::allclose(moved, mask.to(at::kFloat) / (amplify ? 0.7 : 1), 1e-4, 1e-5));
  }
}

TEST(Dps, TurnsDropoutOff_AsTheReferenceDoes) {
  const auto trains_with_dropout = [](const json& options, int64_t planned) {
    Cycle cycle(options, planned);
    Step now = cycle.step(0);
    return cycle.pass(now, 0).options.training;
  };
  EXPECT_FALSE(trains_with_dropout({}, 1999));
  EXPECT_TRUE(trains_with_dropout({}, 2000));
  EXPECT_FALSE(trains_with_dropout({{"variant", "mix"}}, 2000));
  EXPECT_TRUE(trains_with_dropout({{"dropout", "model"}}, 10));
  EXPECT_FALSE(trains_with_dropout({{"dropout", "off"}}, 2000));
}

TEST(Dps, ChoosesAsManyAtRandom_WhateverTheGradients) {
  const auto masks = [](uint64_t gradients) {
    Cycle cycle(json{{"stage_steps", 1}, {"freeze_ratio", 0.25}, {"scores", "random"}});
    cycle.run(0, cycle.random(kQuery, gradients), cycle.random(kHead, gradients));
    const Scope first = *cycle.run(1, cycle.random(kQuery, 5), cycle.random(kHead, 5));
    cycle.run(2, cycle.random(kQuery, 6), cycle.random(kHead, 6));
    const Scope second = *cycle.run(3, cycle.random(kQuery, 7), cycle.random(kHead, 7));
    return std::pair(first.parameters.at(kQuery).mask, second.parameters.at(kQuery).mask);
  };
  const auto [first, second] = masks(1);
  EXPECT_EQ(first.sum().item<int64_t>(), share_of_elements(0.75, first.numel()));
  EXPECT_FALSE(at::equal(first, second)) << "drawn once";
  EXPECT_TRUE(at::equal(masks(2).first, first));
}

/// As where another selector freezes a parameter in stage I and lets it go in stage II.
TEST(Dps, GoesOnWhereAParameterWasFrozenInStageI) {
  Cycle cycle(json{{"stage_steps", 1}});
  cycle.train(kHead, false);
  cycle.run(0, cycle.random(kQuery, 1), cycle.random(kHead, 1));
  cycle.train(kHead, true);
  const Scope scope = *cycle.run(1, cycle.random(kQuery, 2), cycle.random(kHead, 2));
  EXPECT_TRUE(scope.parameters.contains(kQuery));
  EXPECT_FALSE(scope.parameters.contains(kHead));
}

TEST(Dps, MasksNoTableOfRelativePositions) {
  SmallModel model = small_t5();
  for (const ParameterInfo& info : model.family->parameters())
    model.weights.set(info.name, model.weights.at(info.name).clone().requires_grad_(true));
  const SelectorMethod& method = selector_method("dps");
  const auto selector =
      method.make({*model.family, model.weights, Key::root(1), 10}, method.options().resolve({{"stage_steps", 1}}, "test"));
  std::optional<Scope> scope;
  for (int64_t number = 0; number < 2; ++number) {
    MadeUpStep made(model, Key::root(3).split(static_cast<uint64_t>(number)));
    made.step.number = number;
    scope = selector->scope(made.step);
    selector->after_backward(made.step);
  }
  ASSERT_TRUE(scope);
  for (const ParameterInfo& info : model.family->parameters())
    EXPECT_EQ(scope->entry(info).mask.defined(), info.kind == ParameterKind::weight) << info.name;
}

TEST(Dps, MovesNothingOutsideTheSubnetwork_UnlessGradientsAloneAreMasked) {
  const Model model = toy::tiny_bert();
  const Task task = toy::sentiment();
  const SelectorMethod& method = selector_method("dps");
  for (const char* freeze : {"gradient", "update", "state"}) {
    const json given = {{"stage_steps", 1}, {"freeze_ratio", 0.5}, {"freeze", freeze}, {"parts", kBody}};
    const Options options = method.options().resolve(given, "test");
    const toy::Scratch scratch;
    const auto run = [&](int64_t steps) {
      TrainJob job = toy::job(model, task, {{"max_steps", steps}, {"batch_size", 16}, {"lr_scheduler_type", "constant"}},
                              scratch.path() / std::to_string(steps));
      job.tune.weight_decay = 0.1;
      job.plugins.push_back(
          {"dps", given, method.wants(options), [&](const MethodInputs& inputs) { return method.make(inputs, options); }, {}});
      return train(std::move(job));
    };
    const TrainResult before = run(1), after = run(2);  // stage I, and one step of stage II behind it
    int64_t kept = 0, moved = 0;
    for (const ParameterInfo& info : masked_parameters(*model.family, options, "test")) {
      const at::Tensor differs = after.last_weights.at(info.name) != before.last_weights.at(info.name);
      kept += share_of_elements(0.5, differs.numel());
      moved += differs.sum().item<int64_t>();
    }
    const json& update = after.report.plugins[0].at("last_update");
    const bool still = std::string(freeze) != "gradient";
    EXPECT_GT(update.at("inside").get<double>(), 0) << freeze;
    EXPECT_EQ(update.at("outside").get<double>() == 0, still) << freeze;
    EXPECT_EQ(moved <= kept, still) << freeze << ": " << moved << " moved, " << kept << " kept";
    EXPECT_GT(moved, 0) << freeze;
  }
}

/// The device here is one that computes nothing.
TEST(Dps, ResumesOnTheDeviceOfTheWeights) {
  const SelectorMethod& method = selector_method("dps");
  for (const int64_t steps : {1, 2}) {  // in stage I, and in stage II
    const json given = {{"variant", "mix"}, {"stage_steps", 1}};
    Cycle cycle(given);
    for (int64_t number = 0; number < steps; ++number) cycle.run(number, cycle.random(kQuery, 0), cycle.random(kHead, 0));
    const Weights elsewhere = on_device(cycle.model().weights, at::kMeta);
    const auto resumed = method.make({*cycle.model().family, elsewhere, Key::root(1), 100}, method.options().resolve(given, "test"));
    resumed->restore(cycle.selector().state());
    const PluginState state = resumed->state();
    for (const char* name : {kQuery, kHead})
      for (const std::string& kept : steps == 1 ? std::vector<std::string>{"squares.", "counts."} : std::vector<std::string>{"target."})
        EXPECT_TRUE(state.at(kept + name).is_meta()) << kept << name;
  }
}

TEST(Dps, NeverHasAStageWithoutSteps) {
  const SelectorMethod& method = selector_method("dps");
  const auto length = [&](const json& options, int64_t steps) {
    return dps::Settings(method.options().resolve(options, "test"), steps).stage_steps;
  };
  EXPECT_EQ(length({}, 468), 23);
  EXPECT_EQ(length({}, 1605), 80);
  EXPECT_EQ(length({}, 19), 1);
  EXPECT_EQ(length({{"update_ratio", 0.1}}, 468), 46);
  EXPECT_EQ(length({{"stage_steps", 7}}, 468), 7);
}

TEST(Dps, RefusesAMixOfNothing) {
  const SmallModel model = small_bert();
  const SelectorMethod& method = selector_method("dps");
  const auto make = [&](const json& options) {
    return method.make({*model.family, model.weights, Key::root(1), 10}, method.options().resolve(options, "test"));
  };
  EXPECT_THROW(make({{"variant", "mix"}, {"freeze_ratio", 1}}), Error);
  EXPECT_NE(make({{"freeze_ratio", 1}}), nullptr);
}

TEST(Dps, KeepsABitAnElement) {
  const at::Tensor mask = sorted_mask(at::rand({7, 13}), 0.4), other = mask.clone();
  other.view({-1})[5].logical_not_();
  other.view({-1})[90].logical_not_();
  EXPECT_EQ(dps::pack_bits(mask).numel(), 12);
  EXPECT_TRUE(at::equal(dps::unpack_bits(dps::pack_bits(mask), {7, 13}), mask));
  EXPECT_EQ(dps::count_ones(dps::pack_bits(mask)), mask.sum().item<int64_t>());
  EXPECT_EQ(dps::count_differences(dps::pack_bits(mask), dps::pack_bits(other)), 2);
  EXPECT_THROW(dps::unpack_bits(dps::pack_bits(mask), {8, 13}), Error);
  const at::Tensor ends = at::zeros({11}, at::kBool);
  ends[0].fill_(true);
  ends[9].fill_(true);
  EXPECT_TRUE(at::equal(dps::pack_bits(ends), at::tensor({1, 2}, at::kByte)));
}

}  // namespace
}  // namespace tsrun::dps
