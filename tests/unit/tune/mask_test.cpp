#include "tsrun/tune/mask.h"

#include "tsrun/base/operators.h"
#include "unit/tune/fakes.h"

#include <algorithm>

namespace tsrun {
namespace {

using testing_tune::error_of;
using testing_tune::FakeFamily;
using testing_tune::TemporaryFolder;

/// An update of unit normals with three planted outliers: two in layer 0 (one of them a norm), one in layer 1 relative to a shifted mean.
struct Planted {
  FakeFamily family;
  ParameterSet set = select_parameters(family, {});
  at::Tensor origin = flatten(family.weights(), set.layout);
  at::Tensor update = at::empty({set.layout.total()}, at::kFloat);
  int64_t norm = set.layout.find("encoder.layer.0.LayerNorm.weight")->offset + 5, dense = 2 * 17 + 3, second = set.groups[1].begin + 40;
  Planted() {
    fill_uniform(Key::root(8), {update.data_ptr<float>(), static_cast<size_t>(update.numel())}, 0, -1, 1);
    update[norm] = 30;
    update[dense] = -20;
    update.narrow(0, set.groups[1].begin, set.groups[1].size()).add_(100);
    update[second] = 70;
  }
  Mask outliers() const { return find_outliers(update, origin, set, family, {}); }
};

TEST(Outliers, AreFoundPerGroup_AroundTheGroupsMean) {
  const Planted p;
  const Mask mask = p.outliers();
  EXPECT_EQ(mask.positions, (std::vector<int64_t>{p.dense, p.norm, p.second}));
  const nlohmann::json group = mask.description["groups"][0];
  EXPECT_EQ(group["count"], 2);
  EXPECT_EQ(group["top"].size(), 10u);
  EXPECT_EQ(group["top"][0]["tensor"], "encoder.layer.0.LayerNorm.weight");
  EXPECT_EQ(group["top"][0]["index"], nlohmann::json({5}));
  EXPECT_EQ(group["top"][1]["index"], nlohmann::json({2, 3}));
  EXPECT_EQ(group["top"][1]["value"], -20.0);
  EXPECT_EQ(group["by_module"]["LayerNorm"]["count"], 1);
  EXPECT_DOUBLE_EQ(mask.description["by_kind"]["weight"]["share"], 2.0 / 3);
  EXPECT_NEAR(mask.description["groups"][1]["mean"].get<double>(), 100, 0.5);
}

TEST(Outliers, RankCorrelationSeesAnUpdateThatScalesTheOrigin) {
  const Planted p;
  const Mask mask = find_outliers(p.origin * -0.5, p.origin, p.set, p.family, {});
  EXPECT_NEAR(mask.description["groups"][0]["rank_correlation"].get<double>(), 1, 1e-9);
  EXPECT_LT(std::abs(p.outliers().description["groups"][0]["rank_correlation"].get<double>()), 0.3);
}

TEST(Outliers, AConstantUpdateHasNone) {
  const Planted p;
  EXPECT_TRUE(find_outliers(at::zeros_like(p.update), p.origin, p.set, p.family, {}).positions.empty());
  error_of(ErrorKind::user, [&] { find_outliers(p.update, p.origin, p.set, p.family, {.sigmas = 0}); });
}

TEST(MaskControls, MatchTheirMaskGroupByGroup) {
  const Planted p;
  const Mask mask = p.outliers();
  const auto make = [&](const std::string& control) {
    return matched_mask(control, mask, p.update, p.origin, p.set, p.family, Key::root(4));
  };
  for (const std::string& control : mask_controls()) {
    const Mask made = make(control);
    EXPECT_TRUE(std::is_sorted(made.positions.begin(), made.positions.end())) << control;
    EXPECT_EQ(std::adjacent_find(made.positions.begin(), made.positions.end()), made.positions.end()) << control;
    EXPECT_EQ(made.description["count"], made.positions.size());
    const std::vector<int64_t> expected =
        control == "top" || control.ends_with("without_norms") ? std::vector<int64_t>{1, 1} : std::vector<int64_t>{2, 1};
    for (size_t g = 0; g < 2; ++g) EXPECT_EQ(made.description["groups"][g]["count"], expected[g]) << control;
  }
  EXPECT_EQ(make("without_norms").positions, (std::vector<int64_t>{p.dense, p.second}));
  EXPECT_EQ(make("top").positions, (std::vector<int64_t>{p.norm, p.second}));
  EXPECT_EQ(make("random").positions, make("random").positions);
}

TEST(MaskControls, MagnitudeTakesTheLargestOriginWeights_AndNormsOnlyWhenAllowed) {
  const Planted p;
  const Mask mask = p.outliers();
  const auto kinds = [&](const std::string& control) {
    return matched_mask(control, mask, p.update, p.origin, p.set, p.family, Key::root(4)).description["by_kind"];
  };
  EXPECT_EQ(kinds("magnitude")["norm_weight"]["count"], 3);  // gains near 1 beside weights near 0
  EXPECT_FALSE(kinds("magnitude_without_norms").contains("norm_weight"));
  EXPECT_EQ(kinds("random_per_tensor")["norm_weight"]["count"], 1);
}

TEST(MaskControls, RefuseWrongNamesAndForeignMasks) {
  const Planted p;
  const Mask mask = p.outliers();
  const auto message =
      error_of(ErrorKind::user, [&] { matched_mask("magnitud", mask, p.update, p.origin, p.set, p.family, Key::root(4)); });
  EXPECT_NE(message.find("did you mean 'magnitude'?"), std::string::npos);
  Mask foreign = mask;
  foreign.layout = Layout().add("x", {500});
  error_of(ErrorKind::data, [&] { matched_mask("random", foreign, p.update, p.origin, p.set, p.family, Key::root(4)); });
}

TEST(Mask, SurvivesItsFolder_AndDamageIsRefused) {
  const Planted p;
  const TemporaryFolder folder;
  const Mask mask = p.outliers();
  save_mask(mask, folder / "m");
  const Mask loaded = load_mask(folder / "m");
  EXPECT_EQ(loaded.positions, mask.positions);
  EXPECT_EQ(loaded.layout, mask.layout);
  EXPECT_EQ(loaded.description, mask.description);
  Mask outside = mask;
  outside.positions.push_back(mask.layout.total());
  save_mask(outside, folder / "o");
  error_of(ErrorKind::data, [&] { load_mask(folder / "o"); });
  save_mask({mask.layout, {}, {}}, folder / "empty");
  EXPECT_TRUE(load_mask(folder / "empty").positions.empty());
}

}  // namespace
}  // namespace tsrun
