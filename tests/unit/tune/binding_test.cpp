#include "tsrun/tune/binding.h"

#include "unit/tune/fakes.h"

namespace tsrun {
namespace {

using testing_tune::curved_loss;
using testing_tune::error_of;
using testing_tune::FakeFamily;
using testing_tune::options_with;
using testing_tune::PlainSubspace;

Binding bind(const FakeFamily& family, const TuneOptions& options) {
  return Binding(family, family.weights(), options, Key::root(5), at::kCPU);
}

std::vector<std::string> group_names(Binding& binding) {
  std::vector<std::string> names;
  for (const ParameterGroup& group : binding.groups()) names.push_back(group.name);
  return names;
}

void descend(Binding& binding, double rate) {
  binding.compose();
  binding.zero_gradients();
  curved_loss(binding.weights()).backward();
  binding.gather_gradients();
  const at::NoGradGuard no_grad;
  for (ParameterGroup& group : binding.groups()) group.value.sub_(group.gradient, rate);
  binding.after_update();
}

std::shared_ptr<const Mask> mask_of(const FakeFamily& family, std::vector<int64_t> positions) {
  return std::make_shared<Mask>(Mask{select_parameters(family, {}).layout, std::move(positions), {}});
}

at::Tensor encoder(const FakeFamily& family, const Weights& weights) { return flatten(weights, select_parameters(family, {}).layout); }

TEST(Binding, FullSpaceTrainsEveryPart_InFlatBuffers) {
  const FakeFamily family;
  Binding binding = bind(family, TuneOptions());
  EXPECT_EQ(group_names(binding), (std::vector<std::string>{"encoder", "embeddings", "pooler", "head"}));
  EXPECT_EQ(binding.trainable(), 502 + 44 + 16 + 15);
  EXPECT_EQ(binding.bytes_shipped(), 4 * binding.trainable());
  const at::Tensor before = encoder(family, binding.origin());
  const double loss = curved_loss(binding.weights()).item<double>();
  descend(binding, 0.1);
  EXPECT_LT(curved_loss(binding.weights()).item<double>(), loss);
  EXPECT_TRUE(at::equal(encoder(family, binding.weights()), binding.groups()[0].value));
  EXPECT_TRUE(at::equal(encoder(family, binding.origin()), before));
}

TEST(Binding, GroupsNameTheTensorsTheyAreMadeOf) {
  const FakeFamily family;
  Binding whole = bind(family, TuneOptions());
  for (const ParameterGroup& group : whole.groups()) {
    EXPECT_EQ(group.layout.total(), group.value.numel()) << group.name;
    for (const Slice& slice : group.layout.slices()) {
      const at::Tensor tensor = group.value.narrow(0, slice.offset, slice.size).view(slice.shape);
      EXPECT_TRUE(at::equal(tensor, whole.weights().at(slice.name))) << slice.name;
    }
  }
  Binding inside = bind(family, options_with([&](TuneOptions& o) {
                          o.subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 3);
                          o.ensemble = 4;
                        }));
  EXPECT_EQ(inside.groups()[0].layout, Layout().add("z", {4 * 6}));
}

TEST(Binding, GradientsArriveInTheFlatBuffer_AndAddUp) {
  const FakeFamily family;
  Binding binding = bind(family, TuneOptions());
  curved_loss(binding.weights()).backward();
  const at::Tensor once = binding.groups()[0].gradient.clone();
  EXPECT_GT(once.norm().item<float>(), 0);
  curved_loss(binding.weights()).backward();
  EXPECT_TRUE(at::allclose(binding.groups()[0].gradient, 2 * once));
  binding.zero_gradients();
  EXPECT_EQ(binding.groups()[0].gradient.norm().item<float>(), 0);
}

TEST(Binding, FrozenPartsAreConstantsWithoutGradient) {
  const FakeFamily family;
  Binding binding = bind(family, options_with([&](TuneOptions& o) { o.scope = scope_of_parts(family, {Part::head}); }));
  EXPECT_EQ(group_names(binding), std::vector<std::string>{"head"});
  EXPECT_FALSE(binding.weights().at("encoder.layer.0.dense.weight").requires_grad());
  EXPECT_TRUE(binding.weights().at("classifier.bias").requires_grad());
  EXPECT_EQ(binding.describe()["frozen"]["encoder"], 502);
  const Weights before = binding.snapshot();
  descend(binding, 0.1);
  EXPECT_TRUE(at::equal(binding.weights().at("embeddings.word.weight"), before.at("embeddings.word.weight")));
  EXPECT_FALSE(at::equal(binding.weights().at("classifier.bias"), before.at("classifier.bias")));
}

TEST(Binding, DecaySparesBiasesAndNorms) {
  const FakeFamily family;
  Binding binding = bind(family, options_with([&](TuneOptions& o) { o.weight_decay = 0.1; }));
  std::vector<std::pair<int64_t, int64_t>> decayed;
  for (const Span& span : *binding.groups()[0].spans)
    if (span.decay == 0.1) decayed.emplace_back(span.begin, span.end);
  EXPECT_EQ(decayed, (std::vector<std::pair<int64_t, int64_t>>{{0, 221}, {251, 472}}));
}

TEST(Binding, ZeroedWeightsStayZero_WhenHeld) {
  const FakeFamily family;
  Binding binding = bind(family, options_with([&](TuneOptions& o) { o.zeroed = mask_of(family, {3, 260}); }));
  for (int i = 0; i < 3; ++i) descend(binding, 0.1);
  const at::Tensor theta = encoder(family, binding.weights());
  EXPECT_EQ(theta[3].item<float>(), 0);
  EXPECT_EQ(theta[260].item<float>(), 0);
  EXPECT_EQ((theta == 0).sum().item<int64_t>(), 2);
  EXPECT_EQ(binding.degrees_of_freedom(), binding.trainable() - 2);
  EXPECT_EQ(binding.describe()["masks"]["zeroed"]["on_trained"], 2);
}

TEST(Binding, ZeroedWeightsGrowBack_WhenOnlyStartedAtZero) {
  const FakeFamily family;
  Binding binding = bind(family, options_with([&](TuneOptions& o) {
                           o.zeroed = mask_of(family, {3});
                           o.hold_zero = false;
                         }));
  EXPECT_EQ(encoder(family, binding.weights())[3].item<float>(), 0);
  descend(binding, 0.1);
  EXPECT_NE(encoder(family, binding.weights())[3].item<float>(), 0);
  EXPECT_EQ(binding.degrees_of_freedom(), binding.trainable());
}

TEST(Binding, HeldPositionsKeepTheOriginsValue_UnderAnyUpdate) {
  const FakeFamily family;
  Binding binding = bind(family, options_with([&](TuneOptions& o) { o.held = mask_of(family, {7, 300}); }));
  descend(binding, 0.1);
  binding.groups()[0].value.add_(1);  // as momentum or decay would
  binding.after_update();
  const at::Tensor theta = encoder(family, binding.weights()), origin = encoder(family, binding.origin());
  EXPECT_TRUE(at::equal((theta == origin).nonzero().view({-1}), at::tensor({int64_t{7}, int64_t{300}})));
}

TEST(Binding, AMaskOnFrozenWeightsActsAndSaysSo) {
  const FakeFamily family;
  Binding binding = bind(family, options_with([&](TuneOptions& o) {
                           o.scope = scope_of_parts(family, {Part::embeddings, Part::pooler, Part::head});
                           o.zeroed = mask_of(family, {3, 4});
                         }));
  EXPECT_EQ(binding.weights().at("encoder.layer.0.dense.weight").view({-1})[3].item<float>(), 0);
  EXPECT_NE(binding.origin().at("encoder.layer.0.dense.weight").view({-1})[3].item<float>(), 0);
  EXPECT_EQ(binding.describe()["masks"]["zeroed"]["on_frozen"], 2);
  EXPECT_EQ(binding.describe()["masks"]["zeroed"]["on_trained"], 0);
}

TEST(Binding, WithinASubspace_OnlyZMovesTheEncoder) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 3);
  Binding binding = bind(family, options_with([&](TuneOptions& o) {
                           o.init_deviation = 0.1;
                           o.ensemble = 4;
                           o.subspace = subspace;
                         }));
  EXPECT_EQ(group_names(binding), (std::vector<std::string>{"z", "embeddings", "pooler", "head"}));
  EXPECT_EQ(binding.trainable(), 4 * 6 + 44 + 16 + 15);
  EXPECT_EQ(binding.degrees_of_freedom(), 6 + 75);
  EXPECT_EQ(binding.bytes_shipped(), 4 * (6 + 75) + 1000);
  EXPECT_EQ(binding.coordinates().numel(), 6);
  EXPECT_DOUBLE_EQ(binding.groups()[0].lr, 0.01);
  const at::Tensor update = (encoder(family, binding.weights()) - encoder(family, binding.origin())).to(at::kDouble);
  EXPECT_TRUE(at::allclose(update, subspace->dense().mv(binding.coordinates().to(at::kDouble)), 0, 1e-6));
}

TEST(Binding, StartsWhereTheSubspaceSays_UnlessTheTrainingNamesADeviation) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 100);
  subspace->width = 0.25;
  const auto start = [&](double deviation) {
    Binding binding = bind(family, options_with([&](TuneOptions& o) {
                             o.init_deviation = deviation;
                             o.subspace = subspace;
                           }));
    return binding.coordinates();
  };
  EXPECT_LE(start(0).abs().max().item<float>(), 0.25f);
  EXPECT_NEAR(start(0).square().mean().item<double>(), 0.25 * 0.25 / 3, 0.004);  // uniform
  EXPECT_GT(start(1).abs().max().item<float>(), 1);
}

TEST(Binding, SubspaceOverPartOfTheEncoder_FreezesTheRest) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, parse_selection({{"layers", {1}}}, "here")), 3);
  Binding binding = bind(family, options_with([&](TuneOptions& o) { o.subspace = subspace; }));
  EXPECT_EQ(binding.describe()["frozen"]["encoder"], 251);
  EXPECT_FALSE(binding.weights().at("encoder.layer.0.dense.bias").requires_grad());
}

TEST(Binding, SubspaceAndMasksMeet_AfterEveryStep) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 5);
  Binding binding = bind(family, options_with([&](TuneOptions& o) {
                           o.zeroed = mask_of(family, {3});
                           o.held = mask_of(family, {9});
                           o.init_deviation = 0.5;
                           o.subspace = subspace;
                         }));
  for (int i = 0; i < 3; ++i) {
    descend(binding, 0.1);
    const at::Tensor theta = encoder(family, binding.weights()), origin = encoder(family, binding.origin());
    EXPECT_EQ(theta[3].item<float>(), 0);
    EXPECT_EQ(theta[9].item<float>(), origin[9].item<float>());
    EXPECT_NE(theta[10].item<float>(), origin[10].item<float>());
  }
}

TEST(Binding, SnapshotIsDetachedAndCurrent) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 2);
  Binding binding = bind(family, options_with([&](TuneOptions& o) { o.subspace = subspace; }));
  binding.groups()[0].value.add_(1);  // as a resume does; nobody called compose
  const Weights snapshot = binding.snapshot();
  EXPECT_FALSE(snapshot.at("encoder.layer.0.dense.weight").requires_grad());
  EXPECT_FALSE(at::equal(encoder(family, snapshot), encoder(family, binding.origin())));
  const at::Tensor kept = encoder(family, snapshot);
  descend(binding, 0.1);
  EXPECT_TRUE(at::equal(encoder(family, snapshot), kept));
}

TEST(Binding, RefusesForeignSubspacesAndMasks) {
  const FakeFamily family;
  ParameterSet foreign;
  foreign.layout.add("encoder.layer.0.dense.wieght", {4});
  foreign.groups = {{"g", 0, 4}};
  const auto subspace = std::make_shared<PlainSubspace>(foreign, 1);
  EXPECT_NE(
      error_of(ErrorKind::data, [&] { bind(family, options_with([&](TuneOptions& o) { o.subspace = subspace; })); }).find("did you mean"),
      std::string::npos);
  const auto mask = std::make_shared<Mask>(Mask{Layout().add("classifier.bias", {5}), {1}, {}});
  EXPECT_NE(error_of(ErrorKind::data, [&] { bind(family, options_with([&](TuneOptions& o) { o.zeroed = mask; })); }).find("[3]"),
            std::string::npos);
  error_of(ErrorKind::user, [&] { bind(family, options_with([&](TuneOptions& o) { o.ensemble = 0; })); });
}

}  // namespace
}  // namespace tsrun
