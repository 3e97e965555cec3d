#include "tsrun/geometry/geometry.h"

#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/random.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace tsrun {
namespace {

using nlohmann::json;

at::Tensor rows_of(const json& list) {
  at::Tensor rows = at::empty({static_cast<int64_t>(list.size()), static_cast<int64_t>(list[0].size())}, at::kDouble);
  for (int64_t i = 0; i < rows.size(0); ++i)
    for (int64_t j = 0; j < rows.size(1); ++j) rows[i][j] = list.at(static_cast<size_t>(i)).at(static_cast<size_t>(j)).get<double>();
  return rows;
}

void expect_number(double value, const json& expected, const std::string& what) {
  if (expected.is_null()) {
    EXPECT_TRUE(std::isnan(value)) << what << " is " << value;
  } else if (expected.is_string()) {
    EXPECT_TRUE(std::isinf(value)) << what << " is " << value;
  } else {
    EXPECT_NEAR(value, expected.get<double>(), 1e-9 * std::max(1e-3, std::abs(expected.get<double>()))) << what;
  }
}

void expect_geometry(const at::Tensor& rows, const at::Tensor& mean, const json& expected, int64_t top_k) {
  const RowGeometry found = row_geometry(rows, mean, singular_directions(rows, mean), top_k);
  expect_number(found.cosines.mean, expected.at("mean_cosine"), "mean cosine");
  expect_number(found.cosines.mean_norm, expected.at("mean_norm"), "mean norm");
  EXPECT_EQ(found.cosines.zero_rows, expected.at("zero_rows").get<int64_t>());
  expect_number(found.spectrum.largest, expected.at("largest"), "largest singular value");
  expect_number(found.spectrum.top_share, expected.at("top_share"), "share of the largest");
  expect_number(found.spectrum.effective_rank, expected.at("effective_rank"), "effective rank");
  expect_number(found.spectrum.condition_number, expected.at("condition_number"), "condition number");
  EXPECT_EQ(found.spectrum.rank, expected.at("rank").get<int64_t>());
  ASSERT_EQ(found.spectrum.relative.size(), expected.at("relative").size());
  for (size_t i = 0; i < found.spectrum.relative.size(); ++i)
    EXPECT_NEAR(found.spectrum.relative[i], expected.at("relative")[i].get<double>(), 1e-12);
  expect_number(found.isotropy.i1, expected.at("i1"), "I1");
  expect_number(found.isotropy.log_i1, expected.at("log_i1"), "log I1");
  expect_number(found.isotropy.i2, expected.at("i2"), "I2");
  const auto histogram = cosine_histogram(rows, mean, static_cast<int64_t>(expected.at("histogram").size()));
  for (size_t i = 0; i < histogram.size(); ++i) EXPECT_NEAR(histogram[i], expected.at("histogram")[i].get<double>(), 1e-12);
}

TEST(Geometry, EqualsNumPy_AsGivenAndCentred) {
  const json golden = read_json(TSRUN_SOURCE_DIR "/tests/goldens/geometry.json");
  for (const json& example : golden.at("cases")) {
    SCOPED_TRACE(example.at("name").get<std::string>());
    const at::Tensor rows = rows_of(example.at("rows"));
    expect_geometry(rows, {}, example.at("given"), golden.at("top_k"));
    expect_geometry(rows, mean_row(rows), example.at("centred"), golden.at("top_k"));
    const IntrinsicDimension dimension = intrinsic_dimension(rows, 0);
    expect_number(dimension.value, example.at("dimension").at("value"), "intrinsic dimension");
    EXPECT_EQ(dimension.distinct, example.at("dimension").at("distinct").get<int64_t>());
    EXPECT_EQ(dimension.asked, dimension.distinct);
  }
}

/// Enough rows for several blocks, a part of them shifted.
at::Tensor many_rows(int64_t rows = 9000, int64_t width = 12) {
  const at::Tensor i = at::arange(rows * width, at::kDouble).view({rows, width});
  return (i * 0.7311).sin() + (i * 0.0137).cos() * at::arange(1, width + 1, at::kDouble) * 0.2;
}

TEST(Geometry, DoesNotDependOnBlocks) {
  const at::Tensor rows = many_rows(), mean = mean_row(rows);
  EXPECT_TRUE(at::allclose(mean, rows.mean(0), 1e-12, 1e-12));
  const at::Tensor centred = rows - rows.mean(0), values = at::linalg_svdvals(centred);
  EXPECT_TRUE(at::allclose(singular_directions(rows, mean).values, values, 1e-10, 1e-10));
  const at::Tensor unit = centred / centred.norm(2, {1}, /*keepdim=*/true);
  const double all = unit.sum(0).square().sum().item<double>();
  EXPECT_NEAR(cosines_of(rows, mean).mean, (all - 9000) / (9000.0 * 8999), 1e-12);
}

TEST(Geometry, OfFloat32Rows_IsThatOfTheSameNumbersInFloat64) {
  const at::Tensor rows = many_rows(200, 6).to(at::kFloat), wide = rows.to(at::kDouble);
  const RowGeometry a = row_geometry(rows, {}, singular_directions(rows, {}), 2);
  const RowGeometry b = row_geometry(wide, {}, singular_directions(wide, {}), 2);
  EXPECT_EQ(a.cosines.mean, b.cosines.mean);
  EXPECT_EQ(a.isotropy.i1, b.isotropy.i1);
  EXPECT_EQ(a.spectrum.relative, b.spectrum.relative);
}

TEST(Geometry, SeesThatAnOffsetIsNoCollapse) {
  const at::Tensor even = many_rows(400, 4), cone = even + 50;
  const at::Tensor mean = mean_row(cone);
  EXPECT_GT(cosines_of(cone, {}).mean, 0.99);
  EXPECT_LT(std::abs(cosines_of(cone, mean).mean), 0.1);
  EXPECT_LT(spectrum_of(singular_directions(cone, {}), 1).effective_rank, 1.1);
  EXPECT_GT(spectrum_of(singular_directions(cone, mean), 1).effective_rank, 2);
}

TEST(Geometry, KeepsSmallSingularValues_WhichAGramMatrixWouldLose) {
  const at::Tensor scale = at::tensor({1.0, 1e-4, 1e-10}, at::kDouble);
  const at::Tensor unit = std::get<0>(at::linalg_qr(many_rows(50, 3)));
  const Spectrum found = spectrum_of(singular_directions(unit * scale, {}), 1);
  EXPECT_EQ(found.rank, 3);
  EXPECT_NEAR(found.condition_number, 1e10, 1e-4 * 1e10);
}

TEST(Geometry, CallsSingularValuesThatAreRoundingZero) {
  const at::Tensor rows = many_rows(300, 4), doubled = at::cat({rows, rows.matmul(many_rows(4, 3))}, 1);
  const Spectrum found = spectrum_of(singular_directions(doubled, {}), 1);
  EXPECT_EQ(found.rank, 4);
  for (size_t i = 4; i < 7; ++i) EXPECT_EQ(found.relative[i], 0);
  EXPECT_TRUE(std::isinf(found.condition_number));
}

TEST(Geometry, OfEqualRows_HasNoDirectionsOnceTheirMeanIsGone) {
  const at::Tensor rows = at::tensor({0.1, 0.7, -0.3}, at::kDouble).expand({7, 3}).contiguous(), mean = mean_row(rows);
  const RowGeometry found = row_geometry(rows, mean, singular_directions(rows, mean), 1);
  EXPECT_EQ(found.cosines.zero_rows, 7);
  EXPECT_TRUE(std::isnan(found.cosines.mean));
  EXPECT_EQ(found.spectrum.rank, 0);
  EXPECT_EQ(found.spectrum.largest, 0);
  EXPECT_TRUE(std::isnan(found.spectrum.effective_rank));
  EXPECT_TRUE(std::isinf(found.spectrum.condition_number));
  EXPECT_NEAR(found.isotropy.i1, 1, 1e-12);
  EXPECT_NEAR(cosines_of(rows, {}).mean, 1, 1e-12);
  EXPECT_TRUE(std::isnan(intrinsic_dimension(rows, 0).value));
}

TEST(IntrinsicDimension, IsThatOfTheManifold_WhateverItsSpace) {
  const at::Tensor flat = at::empty({3000, 2}, at::kFloat);
  fill_uniform(Key::root(3), {flat.data_ptr<float>(), static_cast<size_t>(flat.numel())});
  const at::Tensor turned = flat.matmul(many_rows(2, 30).to(at::kFloat)) + 7;
  EXPECT_NEAR(intrinsic_dimension(turned, 0).value, 2, 0.1);
  const IntrinsicDimension some = intrinsic_dimension(turned, 500);
  EXPECT_EQ(some.asked, 500);
  EXPECT_NEAR(some.value, 2, 0.25);
  EXPECT_EQ(intrinsic_dimension(turned, 500).value, some.value);
}

TEST(IntrinsicDimension, FindsNeighboursInAllBlocks) {
  // 2 900 rows make blocks of distances of 2 892 rows, so that the last rows are asked in a second one.
  const at::Tensor rows = at::cat({many_rows(2900, 3), many_rows(2900, 3) + 1e-3}).slice(0, 0, 5000);
  const at::Tensor distances = at::cdist(rows, rows).fill_diagonal_(INFINITY);
  const at::Tensor near = std::get<0>(distances.topk(2, 1, /*largest=*/false));
  const at::Tensor log_ratio = std::get<0>((near.select(1, 1) / near.select(1, 0)).log().sort()).slice(0, 0, 4500);
  const at::Tensor y = -(1 - at::arange(1, 4501, at::kDouble) / 5000).log();
  const double expected = ((log_ratio * y).sum() / log_ratio.square().sum()).item<double>();
  EXPECT_NEAR(intrinsic_dimension(rows, 0).value, expected, 1e-6 * expected);
}

}  // namespace
}  // namespace tsrun
