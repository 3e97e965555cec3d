#include "tsrun/base/operators.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace tsrun::half_fine_tuning {
namespace {

using namespace plugin_testing;

const bool cases = add_selector_case("half_fine_tuning", {{"every", 2}}) &&
                   add_selector_case("half_fine_tuning", {{"every", 3}, {"granularity", "model"}, {"moments", "keep"}});

Scope chosen(const SmallModel& model, const nlohmann::json& options, uint64_t seed = 1) {
  const SelectorMethod& method = selector_method("half_fine_tuning");
  return method.choose({*model.family, model.weights, Key::root(seed)}, method.options().resolve(options, "test"))->scope;
}

/// Trained modules of each layer, by category.
std::map<std::pair<int, std::string>, int> trained_modules(const SmallModel& model, const Scope& scope) {
  std::set<std::pair<int, std::string>> modules;
  for (const ParameterInfo& info : model.family->parameters())
    if (info.layer >= 0 && scope.entry(info).trained) modules.insert({info.layer, info.module});
  std::map<std::pair<int, std::string>, int> counts;
  for (const auto& [layer, module] : modules) {
    const bool norm = module.find("Norm") != std::string::npos, attention = module.find("attention") != std::string::npos;
    ++counts[{layer, norm ? "norms" : attention ? "attention" : "feed_forward"}];
  }
  return counts;
}

TEST(HalfFineTuning, TrainsHalfOfEveryCategoryInEveryLayer) {
  const SmallModel model = small_bert();
  for (uint64_t seed = 1; seed < 6; ++seed)
    for (const auto& [place, count] : trained_modules(model, chosen(model, nlohmann::json::object(), seed)))
      EXPECT_EQ(count, place.second == "attention" ? 2 : 1) << place.first << ' ' << place.second;
}

TEST(HalfFineTuning, GivesOneMoreToAPartOfThePlaces_WhereTheShareIsNoWholeNumber) {
  const SmallModel model = small_bert();
  int norms = 0;
  for (const auto& [place, count] : trained_modules(model, chosen(model, {{"share", 0.25}})))
    if (place.second == "norms") norms += count;
  EXPECT_EQ(norms, 1) << "a quarter of two norms in each of two layers";
}

TEST(HalfFineTuning, KeepsAMatrixAndItsBiasTogether_AndLeavesWhatIsOutsideLayers) {
  const SmallModel model = small_bert();
  const Scope scope = chosen(model, nlohmann::json::object());
  std::map<std::pair<int, std::string>, std::set<bool>> states;
  for (const ParameterInfo& info : model.family->parameters()) {
    if (info.layer >= 0) states[{info.layer, info.module}].insert(scope.entry(info).trained);
    EXPECT_TRUE(info.layer >= 0 || scope.entry(info).trained) << info.name;
  }
  for (const auto& [module, seen] : states) EXPECT_EQ(seen.size(), 1U) << module.second;
}

TEST(HalfFineTuning, BalancesAsAsked) {
  const SmallModel model = small_bert();
  std::map<int, int> in_layers;
  for (const auto& [place, count] : trained_modules(model, chosen(model, {{"granularity", "layer"}}))) in_layers[place.first] += count;
  EXPECT_EQ(in_layers, (std::map<int, int>{{0, 4}, {1, 4}}));
  int all = 0;
  for (const auto& [place, count] : trained_modules(model, chosen(model, {{"granularity", "model"}}))) all += count;
  EXPECT_EQ(all, 8);
}

TEST(HalfFineTuning, DrawsAnotherHalfInEveryEpoch) {
  const SmallModel model = small_bert();
  const SelectorMethod& method = selector_method("half_fine_tuning");
  const auto selector =
      method.make({*model.family, model.weights, Key::root(1), 9, 3}, method.options().resolve(nlohmann::json::object(), "test"));
  std::vector<int64_t> drawn;
  std::optional<Scope> last;
  for (int64_t number = 0; number < 9; ++number) {
    MadeUpStep made(model, Key::root(2));
    made.step.number = number;
    made.step.chosen = last ? &*last : nullptr;
    if (auto scope = selector->scope(made.step)) last = std::move(scope), drawn.push_back(number);
  }
  EXPECT_EQ(drawn, (std::vector<int64_t>{0, 3, 6}));
  const nlohmann::json report = selector->report();
  EXPECT_EQ(report.at("rounds"), 3);
  EXPECT_GT(report.at("changed_share").get<double>(), 0);
  EXPECT_NEAR(report.at("kept_share").get<double>(), 0.5, 0.1);
}

TEST(HalfFineTuning, TrainsAboutHalfOfEveryKindOfModel) {
  for (const SmallModel& model : {small_gpt2(), small_t5()}) {
    const nlohmann::json table = selector_method("half_fine_tuning")
                                     .choose({*model.family, model.weights, Key::root(1)},
                                             selector_method("half_fine_tuning").options().resolve(nlohmann::json::object(), "test"))
                                     ->table;
    const double share = table.at("trained_in_layers").get<double>() / table.at("elements_in_layers").get<double>();
    EXPECT_NEAR(share, 0.5, 0.3) << model.name;
  }
}

}  // namespace
}  // namespace tsrun::half_fine_tuning
