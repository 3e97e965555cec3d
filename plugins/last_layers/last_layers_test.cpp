#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <set>

namespace tsrun::last_layers {
namespace {

using namespace plugin_testing;

const bool cases = add_selector_case("last_layers", {{"layers", 1}}) &&
                   add_selector_case("last_layers", {{"layers", 1}, {"which", "first"}}) &&
                   add_selector_case("last_layers", {{"layers", 1}, {"which", "random"}, {"embeddings", true}});

Choice chosen(const nlohmann::json& options, uint64_t seed = 1) {
  const SelectorMethod& method = selector_method("last_layers");
  const SmallModel model = small_bert();
  return *method.choose({*model.family, model.weights, Key::root(seed)}, method.options().resolve(options, "test"));
}

std::vector<std::string> trained(const Scope& scope, Part part) {
  std::vector<std::string> names;
  const SmallModel model = small_bert();
  for (const ParameterInfo& info : model.family->parameters())
    if (info.part == part && scope.entry(info).trained) names.push_back(info.name);
  return names;
}

TEST(LastLayers, FreezesThePrefixPhysically) {
  const Choice choice = chosen({{"layers", 1}});
  EXPECT_EQ(choice.scope.frozen_layers, 1);
  EXPECT_TRUE(trained(choice.scope, Part::embeddings).empty());
  for (const std::string& name : trained(choice.scope, Part::encoder)) EXPECT_NE(name.find("layer.1."), std::string::npos) << name;
}

TEST(LastLayers, TrainsTheFirst_WithAllBelowTheTopFrozenAbove) {
  const Choice choice = chosen({{"layers", 1}, {"which", "first"}});
  EXPECT_EQ(choice.scope.frozen_layers, 0);
  for (const std::string& name : trained(choice.scope, Part::encoder)) EXPECT_NE(name.find("layer.0."), std::string::npos) << name;
}

TEST(LastLayers, TrainsTheHeadAlone_WithoutLayers) {
  const Choice choice = chosen({{"layers", 0}});
  EXPECT_EQ(choice.scope.frozen_layers, 2);
  EXPECT_TRUE(trained(choice.scope, Part::encoder).empty());
  EXPECT_FALSE(trained(choice.scope, Part::head).empty());
}

TEST(LastLayers, LeavesAWholePrefixToKeep_BelowAFinalNorm) {
  const SmallModel model = small_gpt2();
  const SelectorMethod& method = selector_method("last_layers");
  const auto choice = method.choose({*model.family, model.weights, Key::root(1)}, method.options().resolve({{"layers", 1}}, "test"));
  EXPECT_EQ(choice->scope.frozen_prefix(*model.family), 1);
}

TEST(LastLayers, DrawsEveryLayerUnderSomeKey) {
  std::set<nlohmann::json> seen;
  for (uint64_t seed = 0; seed < 16; ++seed) seen.insert(chosen({{"layers", 1}, {"which", "random"}}, seed).table.at("trained_layers"));
  EXPECT_EQ(seen.size(), 2U);
}

TEST(LastLayers, RefusesMoreLayersThanThereAre) { EXPECT_THROW(chosen({{"layers", 3}}), Error); }

}  // namespace
}  // namespace tsrun::last_layers
