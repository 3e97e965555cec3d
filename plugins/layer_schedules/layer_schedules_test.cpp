#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "outlier_share.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "unit/train/kinds.h"

#include <gtest/gtest.h>

#include <numbers>
#include <set>

namespace tsrun::layer_schedules {
namespace {

using namespace plugin_testing;

using nlohmann::json;

const bool cases =
    add_selector_case("lisa", {{"layers", 1}, {"every", 2}}) &&
    add_selector_case("lisa", {{"layers", 1}, {"every", 3}, {"sampling", "outlier"}, {"embeddings", false}, {"moments", "keep"}}) &&
    add_selector_case("layer_by_layer", {{"every", 2}}) &&
    add_selector_case("layer_by_layer", {{"every", 1}, {"order", "random"}, {"head", false}}) &&
    add_selector_case("freeze_out", {{"t0", 0.5}}) &&
    add_selector_case("freeze_out", {{"t0", 0.4}, {"how", "linear"}, {"anneal", "runtime"}, {"cache_prefix", true}}) &&
    add_selector_case("autofreeze", {{"intervals", 7}, {"percentile", 90}}) &&
    add_selector_case("autofreeze", {{"intervals", 7}, {"cache_prefix", true}});

StepPlugin schedule(const std::string& name, const json& given) {
  const SelectorMethod& method = selector_method(name);
  const Options options = method.options().resolve(given, "test");
  return {name, given, method.wants(options), [&method, options](const MethodInputs& in) { return method.make(in, options); }, {}};
}

/// Scopes that a schedule chooses for a small BERT, without any training.
class Asked {
 public:
  Asked(const std::string& name, const json& options, int64_t steps) : steps_(steps) {
    const SelectorMethod& method = selector_method(name);
    selector = method.make({*model.family, model.weights, Key::root(3), steps, steps}, method.options().resolve(options, "test"));
  }
  Step step(int64_t number) const { return {number, steps_, 0, Key::root(3), *model.family, model.weights, {}}; }
  std::optional<Scope> at(int64_t number) {
    Step asking = step(number);
    return selector->scope(asking);
  }
  std::set<int> layers_at(int64_t number) {
    std::set<int> layers;
    const Scope scope = *at(number);
    for (const ParameterInfo& info : model.family->parameters())
      if (info.layer >= 0 && scope.entry(info).trained) layers.insert(info.layer);
    return layers;
  }

  SmallModel model = small_bert();
  std::unique_ptr<Selector> selector;

 private:
  int64_t steps_;
};

/// Trainings of the toy task at a constant rate, with decay.
class Schedules : public ::testing::Test {
 protected:
  TrainResult run(const StepPlugin& plugin, int64_t steps) {
    TrainJob job = toy::job(model, task, {{"max_steps", steps}, {"lr_scheduler_type", "constant"}, {"batch_size", 16}},
                            scratch.path() / std::to_string(runs++));
    job.tune.weight_decay = 0.1;
    job.plugins.push_back(plugin);
    return train(std::move(job));
  }
  bool same_layer(const Weights& a, const Weights& b, int layer) const {
    for (const ParameterInfo& info : model.family->parameters())
      if (info.layer == layer && !at::equal(a.at(info.name), b.at(info.name))) return false;
    return true;
  }
  toy::Scratch scratch;
  int runs = 0;
  Task task = toy::sentiment();
  Model model = toy::tiny_bert();
};

TEST_F(Schedules, MoveALayerThatIsActivatedLate_AndLeaveTheFrozenOneToTheBit) {
  const StepPlugin plugin = schedule("layer_by_layer", {{"every", 2}});
  const Weights half = run(plugin, 2).last_weights, whole = run(plugin, 4).last_weights;
  EXPECT_FALSE(same_layer(half, model.weights, 0));
  EXPECT_TRUE(same_layer(half, model.weights, 1));
  EXPECT_TRUE(same_layer(whole, half, 0));
  EXPECT_FALSE(same_layer(whole, half, 1));
}

TEST_F(Schedules, BeginALayerAnewWithFreshMoments_UnlessTheyAreKept) {
  const Weights dropped = run(schedule("layer_by_layer", {{"every", 1}}), 3).last_weights;
  const Weights kept = run(schedule("layer_by_layer", {{"every", 1}, {"moments", "keep"}}), 3).last_weights;
  EXPECT_FALSE(same_layer(dropped, kept, 0));
  EXPECT_TRUE(same_layer(dropped, kept, 1));
}

TEST_F(Schedules, KeepTheOutputOfAGrowingPrefix_WithoutEffectOnTheTraining) {
  model = toy::tiny_bert({HeadKind::classification, 2}, 0);
  json options = {{"t0", 0.3}, {"how", "linear"}, {"anneal", "runtime"}};
  const TrainResult plain = run(schedule("freeze_out", options), 10);
  options["cache_prefix"] = true;
  const TrainResult cached = run(schedule("freeze_out", options), 10);
  EXPECT_EQ(cached.report.plugins[0].at("frozen_layers"), 2);
  for (const std::string& name : plain.last_weights.names())
    EXPECT_TRUE(at::allclose(plain.last_weights.at(name), cached.last_weights.at(name), 1e-4, 1e-4)) << name;
}

void expect_to_freeze(const toy::TaskModel& of, const char* name, const json& options) {
  const toy::Scratch scratch;
  TrainJob job = toy::job(of.model, of.task, {{"max_steps", 6}, {"batch_size", 8}, {"max_length", 24}}, scratch.path() / "a");
  job.plugins.push_back(schedule(name, options));
  EXPECT_TRUE(train(std::move(job)).report.binding.at("scope").at("acted").get<bool>()) << name;
}

TEST(LayerSchedules, FreezeLayersOfEveryKindOfModel) {
  const std::map<std::string, json> schedules = {
      {"lisa", {{"layers", 1}, {"every", 2}}}, {"layer_by_layer", {{"every", 2}}}, {"freeze_out", {{"t0", 0.5}, {"cache_prefix", true}}}};
  for (const auto& [name, options] : schedules) {
    expect_to_freeze(toy::with_bert(toy::sentiment()), name.c_str(), options);
    expect_to_freeze(toy::with_gpt2(toy::documents()), name.c_str(), options);
    expect_to_freeze(toy::with_t5(toy::sentiment_in_words()), name.c_str(), options);
  }
}

TEST(Lisa, DrawsAsManyLayersAsAsked_EveryOneInTime) {
  Asked lisa("lisa", {{"layers", 1}, {"every", 2}}, 100);
  std::set<int> seen;
  for (int64_t step = 0; step < 40; step += 2) {
    const auto layers = lisa.layers_at(step);
    EXPECT_EQ(layers.size(), 1U);
    EXPECT_FALSE(lisa.at(step + 1));
    seen.insert(layers.begin(), layers.end());
  }
  EXPECT_EQ(seen.size(), 2U);
}

TEST(Lisa, TrainsEmbeddingsAndHead_OrFreezesThem) {
  Asked with("lisa", {{"layers", 1}}, 10), without("lisa", {{"layers", 1}, {"embeddings", false}, {"head", false}}, 10);
  const Scope open = *with.at(0), closed = *without.at(0);
  for (const ParameterInfo& info : with.model.family->parameters()) {
    if (info.layer >= 0) continue;
    EXPECT_TRUE(open.entry(info).trained) << info.name;
    EXPECT_FALSE(closed.entry(info).trained) << info.name;
  }
}

TEST(Lisa, FavoursTheLayerWithOutliers) {
  SmallModel model = small_bert();
  at::Tensor spiked = model.weights.at("bert.encoder.layer.1.output.dense.weight").clone();
  spiked.view({-1}).narrow(0, 0, 30).fill_(50);
  model.weights.set("bert.encoder.layer.1.output.dense.weight", spiked);
  const auto shares = layer_schedules::outlier_shares(*model.family, model.weights, 5);
  EXPECT_EQ(shares[0], 0);
  EXPECT_NEAR(shares[1], 30.0 / (4 * 24 * 24 + 2 * 24 * 40), 1e-12);
}

TEST(Lisa, RefusesMoreLayersThanThereAre) { EXPECT_THROW(Asked("lisa", {{"layers", 3}}, 10), Error); }

TEST(LayerByLayer, GoesThroughTheLayersInOrder) {
  Asked front("layer_by_layer", {{"every", 1}}, 10), back("layer_by_layer", {{"every", 1}, {"order", "end_to_front"}}, 10);
  for (int64_t step = 0; step < 4; ++step) {
    const int turn = static_cast<int>(step % 2);
    EXPECT_EQ(front.layers_at(step), std::set<int>{turn});
    EXPECT_EQ(back.layers_at(step), std::set<int>{1 - turn});
  }
}

TEST(LayerByLayer, TakesEveryLayerOnceARound_AtRandom) {
  Asked random("layer_by_layer", {{"every", 1}, {"order", "random"}}, 10);
  for (int64_t round = 0; round < 6; ++round) EXPECT_NE(random.layers_at(2 * round), random.layers_at(2 * round + 1));
}

TEST(FreezeOut, EndsEveryLayerAtItsTime) {
  Asked cubic("freeze_out", {{"t0", 0.5}}, 1000);  // ends 0.5³ and 0.75³ of the training
  EXPECT_EQ(cubic.at(124)->frozen_layers, 0);
  EXPECT_EQ(cubic.at(125)->frozen_layers, 1);
  EXPECT_EQ(cubic.at(421)->frozen_layers, 1);
  EXPECT_EQ(cubic.at(422)->frozen_layers, 2);
  EXPECT_EQ(cubic.at(999)->frozen_layers, 2);
}

TEST(FreezeOut, AnnealsEveryLayerByItsOwnCosine) {
  Asked linear("freeze_out", {{"t0", 0.5}, {"how", "linear"}}, 100);
  const Scope scope = *linear.at(30);
  const auto rate = [&](const char* name) { return scope.parameters.at(name).rate; };
  const auto expected = [](double end) { return (1 + std::cos(std::numbers::pi * 0.3 / end)) / 2 / end; };
  EXPECT_NEAR(rate("bert.embeddings.word_embeddings.weight"), expected(0.5), 1e-12);
  EXPECT_NEAR(rate("bert.encoder.layer.0.output.dense.weight"), expected(0.5), 1e-12);
  EXPECT_NEAR(rate("bert.encoder.layer.1.output.dense.weight"), expected(0.75), 1e-12);
  EXPECT_NEAR(rate("classifier.weight"), expected(1), 1e-12);
}

TEST(FreezeOut, LeavesTheRatesToTheTraining) {
  Asked runtime("freeze_out", {{"t0", 0.5}, {"how", "linear"}, {"anneal", "runtime"}, {"scale_lr", false}}, 100);
  EXPECT_EQ(runtime.at(0)->parameters.at("classifier.weight").rate, 1);
  EXPECT_FALSE(runtime.at(49));
  EXPECT_EQ(runtime.at(50)->frozen_layers, 1);
}

/// Gives AutoFreeze steps with gradients of its layers.
struct Gradients {
  explicit Gradients(const json& options) : asked("autofreeze", options, 30) {
    for (const ParameterInfo& info : asked.model.family->parameters()) layout.add(info.name, info.shape);
  }
  /// A step whose gradient is `value` everywhere in a layer.
  void step(int64_t number, std::vector<double> values) {
    Step step = asked.step(number);
    at::Tensor gradient = at::zeros({layout.total()});
    for (const ParameterInfo& info : asked.model.family->parameters()) {
      const Slice& slice = *layout.find(info.name);
      if (info.layer >= 0) gradient.narrow(0, slice.offset, slice.size).fill_(values[static_cast<size_t>(info.layer)]);
    }
    step.blocks.push_back({"encoder", &layout, at::zeros({layout.total()}), gradient, {}, 1, {}});
    asked.selector->after_backward(step);
  }
  Asked asked;
  Layout layout;
};

TEST(AutoFreeze, FreezesTheLayersBelowTheFirstThatChanges) {
  Gradients gradients(json::object({{"intervals", 3}}));  // of ten steps
  for (int64_t i = 0; i < 10; ++i) gradients.step(i, {1, 1});
  EXPECT_FALSE(gradients.asked.at(10));  // the first boundary only looks
  for (int64_t i = 10; i < 20; ++i) gradients.step(i, {1.1, 3});
  EXPECT_EQ(gradients.asked.at(20)->frozen_layers, 1);
  EXPECT_EQ(gradients.asked.selector->report().at("decisions"), json({1}));
}

TEST(AutoFreeze, SumsGradientsAsVectors) {
  Gradients gradients(json::object({{"intervals", 3}}));
  for (int64_t i = 0; i < 10; ++i) gradients.step(i, {1, 1});
  gradients.asked.at(10);
  for (int64_t i = 10; i < 20; ++i) gradients.step(i, {i % 2 == 0 ? 5.0 : -5.0, 1.5});  // layer 0 cancels: it changes by all that it was
  EXPECT_FALSE(gradients.asked.at(20));
}

/// The device here is one that computes nothing.
TEST(AutoFreeze, ResumesItsSumsOnTheDeviceOfTheWeights) {
  Gradients gradients(json::object({{"intervals", 3}}));
  gradients.step(0, {1, 1});
  const SmallModel& model = gradients.asked.model;
  const Weights elsewhere = on_device(model.weights, at::kMeta);
  const SelectorMethod& method = selector_method("autofreeze");
  const auto resumed = method.make({*model.family, elsewhere, Key::root(3), 30, 30}, method.options().resolve({{"intervals", 3}}, "test"));
  resumed->restore(gradients.asked.selector->state());
  size_t sums = 0;
  for (const auto& [name, tensor] : resumed->state()) {
    if (!name.starts_with("sum.")) continue;
    EXPECT_TRUE(tensor.is_meta()) << name;
    ++sums;
  }
  EXPECT_GT(sums, 0U);
}

}  // namespace
}  // namespace tsrun::layer_schedules
