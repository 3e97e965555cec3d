#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/tensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include <unistd.h>

namespace tsrun::super_tuning {
namespace {

using namespace plugin_testing;

const bool cases = add_selector_case("super_tuning", {{"share", 0.1}}) &&
                   add_selector_case("super_tuning", {{"share", 0.1}, {"granularity", "global"}, {"direction", "bottom"}}) &&
                   add_selector_case("super_tuning", {{"share", 0.2}, {"others", "trained"}, {"freeze", "gradient"}});

const std::string kQuery = "bert.encoder.layer.0.attention.self.query.weight";
const std::string kKey = "bert.encoder.layer.0.attention.self.key.weight";

Scope chosen(const nlohmann::json& options, const SmallModel& model = small_bert()) {
  const SelectorMethod& method = selector_method("super_tuning");
  return method.choose({*model.family, model.weights, Key::root(1)}, method.options().resolve(options, "test"))->scope;
}

TEST(SuperTuning, TakesTheLargestMagnitudes_OrTheSmallest) {
  const SmallModel model = small_bert();
  const at::Tensor magnitudes = model.weights.at(kQuery).abs();
  const auto count = static_cast<int64_t>(std::ceil(0.1 * static_cast<double>(magnitudes.numel())));
  for (const bool top : {true, false}) {
    const at::Tensor mask = chosen({{"share", 0.1}, {"direction", top ? "top" : "bottom"}}, model).parameters.at(kQuery).mask;
    EXPECT_EQ(mask.sum().item<int64_t>(), count);
    const at::Tensor inside = magnitudes.masked_select(mask), outside = magnitudes.masked_select(mask.logical_not());
    const double sign = top ? 1 : -1;
    EXPECT_GE((inside * sign).min().item<double>(), (outside * sign).max().item<double>());
  }
}

TEST(SuperTuning, ComparesTensorsWithEachOther_WhenGlobal) {
  SmallModel model = small_bert();
  model.weights.set(kQuery, model.weights.at(kQuery) * 1e4);
  const int64_t elements = model.weights.at(kQuery).numel();
  int64_t all = 0, kept = 0;
  for (const auto& [name, entry] : chosen({}, model).parameters)
    if (entry.mask.defined()) all += entry.mask.numel();
  const Scope scope = chosen({{"granularity", "global"}, {"share", static_cast<double>(elements) / static_cast<double>(all)}}, model);
  for (const auto& [name, entry] : scope.parameters) {
    if (!entry.mask.defined()) continue;
    kept += entry.mask.sum().item<int64_t>();
    EXPECT_TRUE(name != kQuery || entry.mask.all().item<bool>());
  }
  EXPECT_EQ(kept, elements);
}

TEST(SuperTuning, FreezesWhatHasNoMask_ButNotTheHead) {
  const SmallModel model = small_bert();
  const Scope scope = chosen({}, model), open = chosen({{"others", "trained"}}, model);
  for (const ParameterInfo& info : model.family->parameters()) {
    const bool kept = info.part == Part::head || info.part == Part::pooler;
    EXPECT_EQ(scope.entry(info).trained, kept || scope.entry(info).mask.defined()) << info.name;
    EXPECT_TRUE(open.entry(info).trained) << info.name;
  }
}

/// A file of one's own, and what comes of it.
class OwnFile : public ::testing::Test {
 protected:
  OwnFile() { std::filesystem::create_directories(folder); }
  ~OwnFile() override { std::filesystem::remove_all(folder); }
  std::string write(const std::map<std::string, at::Tensor>& tensors) {
    write_tensors(file, tensors);
    return file.string();
  }
  std::string error_with(const std::map<std::string, at::Tensor>& tensors) {
    try {
      chosen({{"scores", write(tensors)}});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
    return "no error";
  }
  std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / ("super_tuning" + std::to_string(getpid()));
  std::filesystem::path file = folder / "mine.safetensors";
  SmallModel model = small_bert();
  at::IntArrayRef shape = model.weights.at(kQuery).sizes();
};

TEST_F(OwnFile, OfScores_TrainsTheShareOfTheLargest) {
  const at::Tensor scores = at::arange(model.weights.at(kQuery).numel(), at::kFloat).view(shape);
  const Scope scope = chosen({{"scores", write({{kQuery, scores}})}, {"share", 0.25}});
  EXPECT_TRUE(at::equal(scope.parameters.at(kQuery).mask, scores.ge(0.75 * static_cast<double>(scores.numel()))));
  EXPECT_FALSE(scope.parameters.at(kKey).trained);
}

TEST_F(OwnFile, OfMasksAndPositions_TrainsThem) {
  const at::Tensor mask = at::arange(model.weights.at(kQuery).numel(), at::kLong).remainder(3).eq(0).view(shape);
  const Scope scope = chosen({{"scores", write({{kQuery, mask.to(at::kByte)}, {kKey, at::tensor({5, 0, 9}, at::kLong)}})}});
  EXPECT_TRUE(at::equal(scope.parameters.at(kQuery).mask, mask));
  EXPECT_TRUE(at::equal(scope.parameters.at(kKey).mask.flatten().nonzero().flatten(), at::tensor({0, 5, 9}, at::kLong)));
}

TEST_F(OwnFile, IsRefusedByName_WhenItDoesNotFit) {
  const at::Tensor scores = at::rand(shape);
  EXPECT_NE(error_with({{kQuery + "s", scores}}).find("did you mean '" + kQuery + "'"), std::string::npos);
  EXPECT_NE(error_with({{kQuery, scores.flatten()}}).find(file.string() + ": '" + kQuery + "' has the shape ["), std::string::npos);
  EXPECT_NE(error_with({{kQuery, scores / 0.0}}).find("not finite"), std::string::npos);
  EXPECT_NE(error_with({{kQuery, at::tensor({0, -1}, at::kLong)}}).find("the position -1, expected 0 to"), std::string::npos);
  EXPECT_NE(error_with({{kQuery, at::tensor({4, 4}, at::kLong)}}).find("the position 4 twice"), std::string::npos);
  EXPECT_NE(error_with({{kQuery, at::zeros(shape, at::kChar)}}).find("is I8, expected scores"), std::string::npos);
}

TEST(SuperTuning, NamesTheOptionOfItsFile_ForStageKeys) {
  const SelectorMethod& method = selector_method("super_tuning");
  EXPECT_EQ(method.wants(method.options().resolve(nlohmann::json::object(), "test")).files, std::vector<std::string>{"scores"});
}

TEST(SuperTuning, ChoosesInEveryKindOfModel) {
  for (const SmallModel& other : {small_bert(), small_gpt2(), small_t5()}) {
    const Scope scope = chosen({{"share", 0.1}}, other);
    scope.check(*other.family, other.name);
    EXPECT_TRUE(scope.restricts(*other.family)) << other.name;
  }
}

}  // namespace
}  // namespace tsrun::super_tuning
