// PEFT's rules for where a method acts; what it matches itself is in tests/goldens/deltas/peft_* (peft_test.cpp).
#include "tsrun/tune/module_rules.h"
#include "support/golden_models.h"
#include "tsrun/base/error.h"

#include <gtest/gtest.h>

#include <set>

namespace tsrun {
namespace {

using nlohmann::json;

std::set<std::string> targets(const std::string& model, const json& options) {
  const Model golden = golden_model(model);
  const OptionTable table = module_rule_options(json::array({"query"}), "Maps", LayerRules::by_number);
  std::set<std::string> names;
  for (const Target& target : find_targets(*golden.family, table.resolve(options, "test"), "test", TargetKinds::linear_and_embeddings))
    names.insert(target.module.name);
  return names;
}

std::string refused_rules(const std::string& model, const json& options) {
  try {
    targets(model, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    return error.what();
  }
  return "accepted";
}

std::set<std::string> in_layers(const std::set<int>& layers, const std::string& module) {
  std::set<std::string> names;
  for (const int layer : layers) names.insert("bert.encoder.layer." + std::to_string(layer) + "." + module);
  return names;
}

TEST(ModuleRules, ComparesATextWithWholeNamesAndAListWithTheirEnds) {
  EXPECT_EQ(targets("bert", {{"target_modules", ".*layer\\.[12]\\.attention\\.self\\.query"}}), in_layers({1, 2}, "attention.self.query"));
  EXPECT_EQ(targets("bert", {{"target_modules", {"self.key"}}}), in_layers({0, 1, 2}, "attention.self.key"));
  EXPECT_NE(refused_rules("bert", {{"target_modules", "query"}}).find("means no module"), std::string::npos);
  EXPECT_NE(refused_rules("bert", {{"target_modules", {"elf.key"}}}).find("'elf.key'"), std::string::npos);
}

TEST(ModuleRules, KeepsTheLayersThatAreNumbered) {
  EXPECT_EQ(targets("bert", {{"target_modules", {"query"}}, {"layers_to_transform", 2}}), in_layers({2}, "attention.self.query"));
  EXPECT_EQ(targets("bert", {{"target_modules", {"query"}}, {"layers_to_transform", {0, 1}}, {"layers_pattern", "layer"}}),
            in_layers({0, 1}, "attention.self.query"));
  EXPECT_NE(refused_rules("bert", {{"target_modules", {"query"}}, {"layers_to_transform", 0}, {"layers_pattern", {"blocks"}}})
                .find("layers_to_transform"),
            std::string::npos);
  EXPECT_NE(refused_rules("bert", {{"target_modules", "all-linear"}, {"layers_to_transform", 0}}).find("a list of target_modules"),
            std::string::npos);
}

TEST(ModuleRules, TakesWholeNamesWhateverTheirLayer) {
  EXPECT_EQ(targets("bert", {{"target_modules", {"query", "bert.encoder.layer.2.attention.self.query"}}, {"layers_to_transform", 0}}),
            in_layers({0, 2}, "attention.self.query"));
}

TEST(ModuleRules, LeavesOutWhatIsExcludedOrSavedWhole) {
  EXPECT_EQ(targets("bert", {{"target_modules", {"query"}}, {"exclude_modules", ".*\\.0\\..*"}}),
            in_layers({1, 2}, "attention.self.query"));
  EXPECT_EQ(targets("bert", {{"target_modules", {"query"}}, {"exclude_modules", {"layer.1.attention.self.query"}}}),
            in_layers({0, 2}, "attention.self.query"));
  EXPECT_EQ(targets("bert", {{"target_modules", {"query"}}, {"modules_to_save", {"layer.0", "layer.2"}}}),
            in_layers({1}, "attention.self.query"));
  EXPECT_FALSE(targets("bert", {{"target_modules", "all-linear"}}).contains("classifier"));
}

TEST(ModuleRules, MeansEveryLinearMapButTheOutputLayer) {
  const auto all = targets("bert", {{"target_modules", "ALL-linear"}});
  EXPECT_EQ(all.size(), 3U * 6 + 1) << "six maps a layer, and the pooler";
  EXPECT_TRUE(all.contains("bert.pooler.dense"));
  EXPECT_EQ(targets("gpt2", {{"target_modules", "all-linear"}}).contains("lm_head"), false);
}

TEST(ModuleRules, ReadsNamesWithoutThePrefixOfTheBareModel) {
  EXPECT_EQ(targets("bert", {{"target_modules", "encoder\\.layer\\.1\\..*query"}, {"module_names", "bare"}}),
            in_layers({1}, "attention.self.query"));
}

TEST(ModuleRules, RefusesModulesOfAnotherKind) {
  EXPECT_NE(refused_rules("bert", {{"target_modules", ".*attention.*"}}).find("too, expected linear maps"), std::string::npos);
  EXPECT_NE(refused_rules("bert", {{"target_modules", {"query", "LayerNorm"}}}).find("LayerNorm"), std::string::npos);
}

TEST(NumbersByPattern, HoldsTheFirstOfAListThatMeansTheModule) {
  const NumbersByPattern ordered(json::array({{"self.query", 2}, {"layer.1.*", 6}}), "ranks");
  EXPECT_EQ(ordered.of("bert.layer.1.self.query", 9), 2);
  EXPECT_EQ(ordered.of("bert.layer.1.self.key", 9), 6);
  EXPECT_EQ(ordered.of("bert.layer.1.my_self.query", 9), 6);
  EXPECT_EQ(ordered.of("bert.layer.2.self.key", 9), 9);
}

TEST(NumbersByPattern, RefusesATableWhosePatternsDisagree) {
  const NumbersByPattern table({{"query", 2}, {"self.query", 6}, {"key", 3}, {"self.key", 3}}, "ranks");
  EXPECT_EQ(table.of("self.key", 9), 3);
  try {
    table.of("layer.self.query", 9);
    FAIL() << "one of two numbers was chosen without a word";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("give pairs"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun
