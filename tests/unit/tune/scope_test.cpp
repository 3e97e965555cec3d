#include "tsrun/tune/scope.h"

#include "tsrun/base/operators.h"
#include "tsrun/tune/binding.h"
#include "unit/tune/fakes.h"

#include <fstream>

namespace tsrun {
namespace {

using testing_tune::error_of;
using testing_tune::FakeFamily;
using testing_tune::TemporaryFolder;

const char* const kDense = "encoder.layer.0.dense.weight";

const ParameterInfo& info_of(const FakeFamily& family, const std::string& name) {
  for (const ParameterInfo& info : family.parameters())
    if (info.name == name) return info;
  throw std::runtime_error("no parameter " + name);
}

/// Half of one matrix masked, one vector slowed, one frozen.
Scope mixed(const FakeFamily& family) {
  Scope scope;
  at::Tensor mask = at::zeros(info_of(family, kDense).shape, at::kBool);
  mask.select(0, 0).fill_(true);
  scope.parameters[kDense].mask = mask;
  scope.parameters["encoder.layer.1.LayerNorm.weight"].rate = 0.5;
  scope.parameters["classifier.bias"].trained = false;
  scope.freeze = Freeze::state;
  scope.moments = Moments::carry;
  scope.compact = true;
  return scope;
}

void expect_equal(const Scope& a, const Scope& b) {
  EXPECT_EQ(to_json(a), to_json(b));
  for (const auto& [name, entry] : a.parameters) {
    ASSERT_EQ(entry.mask.defined(), b.parameters.at(name).mask.defined());
    if (entry.mask.defined()) {
      EXPECT_TRUE(at::equal(entry.mask, b.parameters.at(name).mask)) << name;
    }
  }
}

TEST(Scope, ComesBackFromItsFolder) {
  const FakeFamily family;
  const TemporaryFolder folder;
  save_scope(mixed(family), {{"why", "a test"}}, folder / "scope");
  expect_equal(load_scope(folder / "scope"), mixed(family));
}

TEST(Scope, IsRefused_WhenItsMasksAreMissing) {
  const FakeFamily family;
  const TemporaryFolder folder;
  save_scope(mixed(family), {}, folder / "scope");
  std::filesystem::remove(folder / "scope" / "masks.safetensors");
  EXPECT_NE(error_of(ErrorKind::data, [&] { load_scope(folder / "scope"); }).find("the mask of 'encoder.layer.0.dense.weight' is missing"),
            std::string::npos);
}

TEST(Scope, FreezesEmbeddingsWithTheLayersAboveThem) {
  const FakeFamily family;
  Scope scope;
  scope.frozen_layers = 1;
  EXPECT_FALSE(scope.entry(info_of(family, "embeddings.word.weight")).trained);
  EXPECT_FALSE(scope.entry(info_of(family, kDense)).trained);
  EXPECT_TRUE(scope.entry(info_of(family, "encoder.layer.1.dense.weight")).trained);
  EXPECT_TRUE(scope.entry(info_of(family, "classifier.bias")).trained);
}

TEST(Scope, KnowsHowManyLayersLieBelowEverythingTrained) {
  const FakeFamily family;
  EXPECT_EQ(Scope{}.frozen_prefix(family), 0);
  Scope scope;
  scope.frozen_layers = 1;
  EXPECT_EQ(scope.frozen_prefix(family), 1);
  EXPECT_EQ(scope_of_parts(family, {Part::head}).frozen_prefix(family), 2);
  EXPECT_EQ(scope_of_parts(family, {Part::embeddings, Part::head}).frozen_prefix(family), 0);
  EXPECT_EQ(scope_of_parts(family, {Part::head}, {"encoder.layer.1.dense.bias"}).frozen_prefix(family), 1);
}

TEST(Scope, TrainsPartsAndNamedParameters) {
  const FakeFamily family;
  const Scope scope = scope_of_parts(family, {Part::head}, {"encoder.layer.1.dense.bias"});
  for (const ParameterInfo& info : family.parameters())
    EXPECT_EQ(scope.entry(info).trained, info.part == Part::head || info.name == "encoder.layer.1.dense.bias") << info.name;
}

TEST(Scope, RestrictsNothing_WithMasksThatAreWhole) {
  const FakeFamily family;
  Scope scope;
  scope.parameters[kDense].mask = at::ones(info_of(family, kDense).shape, at::kBool);
  EXPECT_FALSE(scope.restricts(family));
  EXPECT_TRUE(mixed(family).restricts(family));
}

TEST(Scope, LeavesWhatBothLeave_WhenTwoMeet) {
  const FakeFamily family;
  Scope other;
  other.frozen_layers = 1;
  other.parameters["encoder.layer.1.LayerNorm.weight"].rate = 0.5;
  at::Tensor mask = at::zeros(info_of(family, kDense).shape, at::kBool);
  mask.select(1, 0).fill_(true);
  other.parameters[kDense].mask = mask;
  const Scope both = intersection(mixed(family), other);
  EXPECT_EQ(both.frozen_layers, 1);
  EXPECT_EQ(both.freeze, Freeze::state);
  EXPECT_EQ(both.parameters.at("encoder.layer.1.LayerNorm.weight").rate, 0.25);
  EXPECT_EQ(both.parameters.at(kDense).mask.sum().item<int64_t>(), 1);
  EXPECT_FALSE(both.parameters.at("classifier.bias").trained);
}

TEST(Scope, SaysWhatDoesNotFitTheModel) {
  const FakeFamily family;
  Scope misspelt, misshaped, negative, deep;
  misspelt.parameters["classifier.bais"] = {};
  misshaped.parameters[kDense].mask = at::ones({3}, at::kBool);
  negative.parameters[kDense].rate = -1;
  deep.frozen_layers = 99;
  EXPECT_NE(error_of(ErrorKind::user, [&] { misspelt.check(family, "selector x"); }).find("did you mean 'classifier.bias'"),
            std::string::npos);
  EXPECT_NE(error_of(ErrorKind::user, [&] { misshaped.check(family, "selector x"); }).find("selector x: the mask of"), std::string::npos);
  EXPECT_NE(error_of(ErrorKind::user, [&] { negative.check(family, "selector x"); }).find("-1"), std::string::npos);
  EXPECT_NE(error_of(ErrorKind::user, [&] { deep.check(family, "selector x"); }).find("99 frozen layers"), std::string::npos);
}

TEST(Scope, GivesGradientOnlyInside_AndNoneToFrozenParameters) {
  const FakeFamily family;
  TuneOptions options;
  Binding binding(family, family.weights(), options, Key::root(1), at::kCPU);
  const int64_t all = binding.trainable();
  Scope scope = mixed(family);
  scope.freeze = Freeze::gradient;
  scope.compact = false;
  binding.rescope(scope);
  EXPECT_FALSE(binding.weights().at("classifier.bias").requires_grad());
  at::Tensor sum = at::zeros({});
  for (const std::string& name : binding.weights().names())
    if (binding.weights().at(name).requires_grad()) sum = sum + binding.weights().at(name).sum();
  binding.zero_gradients();
  sum.backward();
  binding.gather_gradients();
  for (const Block& block : binding.blocks(1, false)) {
    if (const Slice* slice = block.layout->find(kDense)) {
      const at::Tensor gradient = block.gradient.narrow(0, slice->offset, slice->size).view(slice->shape);
      EXPECT_EQ(gradient.sum().item<double>(), static_cast<double>(slice->shape[1]));
    }
    if (const Slice* slice = block.layout->find("classifier.bias")) {
      EXPECT_EQ(block.gradient.narrow(0, slice->offset, slice->size).abs().sum().item<double>(), 0);
    }
  }
  EXPECT_EQ(binding.trainable(), all - family.weights().at("classifier.bias").numel());
  EXPECT_TRUE(binding.scope_use().acted);
  binding.rescope(Scope{});
  EXPECT_EQ(binding.trainable(), all);
  EXPECT_TRUE(binding.weights().at("classifier.bias").requires_grad());
}

}  // namespace
}  // namespace tsrun
