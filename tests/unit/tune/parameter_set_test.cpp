#include "tsrun/tune/parameter_set.h"

#include "unit/tune/fakes.h"

namespace tsrun {
namespace {

using testing_tune::error_of;
using testing_tune::FakeFamily;

ParameterSet select(const nlohmann::json& what) { return select_parameters(FakeFamily(), parse_selection(what, "recipe.lua:3")); }

TEST(ParameterSet, EncoderByLayer_IsTheDefault) {
  const ParameterSet set = select(nullptr);
  ASSERT_EQ(set.groups.size(), 2u);
  EXPECT_EQ(set.groups[1].name, "layer 1");
  EXPECT_EQ(set.groups[1].begin, 13 * 17 + 13 + 17);
  EXPECT_EQ(set.groups[1].end, set.layout.total());
  EXPECT_EQ(set, select("encoder"));
}

TEST(ParameterSet, GroupsByTensorAndWhole) {
  EXPECT_EQ(select({{"groups", "tensor"}}).groups.size(), 6u);
  EXPECT_EQ(select({{"groups", "tensor"}}).groups[1].name, "encoder.layer.0.dense.bias");
  EXPECT_EQ(select({{"groups", "whole"}}).groups.size(), 1u);
  EXPECT_EQ(select("all").layout.slices().size(), FakeFamily().parameters().size());
  EXPECT_EQ(select("all").groups.front().name, "embeddings");
}

TEST(ParameterSet, PicksLayersAndPatterns) {
  EXPECT_EQ(select({{"layers", {1}}}).layout.slices().front().name, "encoder.layer.1.dense.weight");
  EXPECT_EQ(select("*.bias").layout.slices().size(), 3u);
  EXPECT_EQ(select({{"patterns", {"*.dense.*"}}, {"parts", "encoder"}}).layout.slices().size(), 4u);
  EXPECT_EQ(select({{"parts", {"head", "pooler"}}}).layout.slices().size(), 3u);
}

TEST(ParameterSet, RefusesWrongWords_WithTheNearMiss) {
  const auto message = [](const nlohmann::json& what) { return error_of(ErrorKind::user, [&] { select(what); }); };
  EXPECT_NE(message("encodr").find("did you mean 'encoder'?"), std::string::npos);
  EXPECT_NE(message("encodr").find("recipe.lua:3"), std::string::npos);
  EXPECT_NE(message({{"grups", "layer"}}).find("did you mean 'groups'?"), std::string::npos);
  EXPECT_NE(message({{"groups", "layers"}}).find("did you mean 'layer'?"), std::string::npos);
  EXPECT_NE(message({{"layers", {7}}}).find("2 layers"), std::string::npos);
  EXPECT_NE(message("classifier.wieght").find("did you mean 'classifier.weight'?"), std::string::npos);
  message(17);
  message({{"layers", {0.5}}});
  message({{"layers", {-1}}});
}

TEST(ParameterSet, FlattenAndUnflattenAreInverse_AndUnflattenGivesViews) {
  const FakeFamily family;
  const ParameterSet set = select("encoder");
  const Weights weights = family.weights();
  at::Tensor flat = flatten(weights, set.layout);
  const Weights back = unflatten(flat, set.layout);
  for (const std::string& name : back.names()) EXPECT_TRUE(at::equal(back.at(name), weights.at(name))) << name;
  flat.zero_();
  EXPECT_EQ(back.at("encoder.layer.0.dense.bias").abs().sum().item<float>(), 0);
}

TEST(ParameterSet, SurvivesJson) {
  const ParameterSet set = select("encoder");
  EXPECT_EQ(ParameterSet::from_json(set.to_json()), set);
  nlohmann::json gap = set.to_json();
  gap["groups"][1]["begin"] = 3;
  error_of(ErrorKind::data, [&] { ParameterSet::from_json(gap); });
  error_of(ErrorKind::data, [&] { ParameterSet::from_json({{"groups", 1}}); });
}

}  // namespace
}  // namespace tsrun
