#include "tsrun/linalg/rows.h"

#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"
#include "tsrun/linalg/orthonormal.h"

#include "support/every_vectors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace tsrun {
namespace {

struct Matrix {
  std::vector<std::vector<float>> rows;
  Rows view() const {
    Rows result{{}, RowType::float32, static_cast<int64_t>(rows.at(0).size())};
    for (const auto& row : rows) result.data.push_back(row.data());
    return result;
  }
  std::vector<float*> pointers() {
    std::vector<float*> result;
    for (auto& row : rows) result.push_back(row.data());
    return result;
  }
};

Matrix random_matrix(int64_t count, int64_t columns, uint64_t seed = 1) {
  Matrix matrix;
  for (int64_t r = 0; r < count; ++r) {
    matrix.rows.emplace_back(static_cast<size_t>(columns));
    fill_normal(Key::root(seed).split(static_cast<uint64_t>(r)), matrix.rows.back());
  }
  return matrix;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += static_cast<double>(a[k]) * b[k];
  return sum;
}

/// The sizes around every block and vector boundary of the kernels.
class Kernels : public ::testing::TestWithParam<std::pair<int64_t, int64_t>> {};
INSTANTIATE_TEST_SUITE_P(Shapes, Kernels,
                         ::testing::Values(std::pair{1, 1}, std::pair{1, 7}, std::pair{2, 8}, std::pair{3, 511}, std::pair{4, 513},
                                           std::pair{5, 2049}, std::pair{7, 4097}, std::pair{33, 10007}, std::pair{130, 700},
                                           std::pair{6, 300001}),
                         [](const auto& info) { return std::to_string(info.param.first) + "RowsOf" + std::to_string(info.param.second); });

TEST_P(Kernels, GramEqualsDotProducts) {
  with_every_vectors([&] {
    const Matrix m = random_matrix(GetParam().first, GetParam().second);
    const SmallMatrix g = gram(m.view());
    for (int64_t i = 0; i < g.rows; ++i)
      for (int64_t j = 0; j < g.columns; ++j) {
        const double expected = dot(m.rows[static_cast<size_t>(i)], m.rows[static_cast<size_t>(j)]);
        ASSERT_NEAR(g(i, j), expected, 1e-12 * static_cast<double>(GetParam().second) + 1e-12) << i << ", " << j;
      }
  });
}

TEST_P(Kernels, ExpandAddsTheCombination_AndProjectIsItsTranspose) {
  with_every_vectors([&] {
    const Matrix m = random_matrix(GetParam().first, GetParam().second);
    std::vector<double> c(m.rows.size());
    for (size_t i = 0; i < c.size(); ++i) c[i] = std::sin(1.0 + static_cast<double>(i));
    std::vector<float> out(m.rows[0].size(), 1.0f), g = random_matrix(1, GetParam().second, 9).rows[0];
    add_combination(m.view(), c, out);
    double forward = 0, back = 0;
    for (size_t k = 0; k < out.size(); ++k) {
      double expected = 1;
      for (size_t i = 0; i < c.size(); ++i) expected += c[i] * m.rows[i][k];
      ASSERT_NEAR(out[k], expected, 3e-6) << k;
      forward += (expected - 1) * g[k];
    }
    const auto z = dot_products(m.view(), g);
    for (size_t i = 0; i < c.size(); ++i) back += c[i] * z[i];
    EXPECT_NEAR(forward, back, 1e-9 * static_cast<double>(out.size()));
  });
}

TEST_P(Kernels, CombineMakesEveryRow_InPlaceToo) {
  with_every_vectors([&] {
    Matrix m = random_matrix(GetParam().first, GetParam().second);
    const Matrix before = m;
    SmallMatrix a(m.view().count(), m.view().count());
    for (size_t i = 0; i < a.values.size(); ++i) a.values[i] = std::cos(static_cast<double>(i));
    combine(a, m.view(), m.pointers());
    for (size_t i = 0; i < m.rows.size(); i += 3)
      for (size_t k = 0; k < m.rows[i].size(); k += 97) {
        double expected = 0;
        for (size_t j = 0; j < m.rows.size(); ++j) expected += a(static_cast<int64_t>(i), static_cast<int64_t>(j)) * before.rows[j][k];
        ASSERT_NEAR(m.rows[i][k], expected, 1e-5) << i << ", " << k;
      }
  });
}

TEST(Rows, Bfloat16RowsGiveTheResultsOfTheirWidenedValues) {
  with_every_vectors([&] {
    Matrix wide = random_matrix(5, 3001);
    std::vector<std::vector<uint16_t>> narrow(5);
    Rows view{{}, RowType::bfloat16, 3001};
    for (size_t r = 0; r < 5; ++r) {
      for (float& v : wide.rows[r]) {
        narrow[r].push_back(static_cast<uint16_t>(std::bit_cast<uint32_t>(v) >> 16));
        v = std::bit_cast<float>(static_cast<uint32_t>(narrow[r].back()) << 16);
      }
      view.data.push_back(narrow[r].data());
    }
    EXPECT_EQ(gram(view).values, gram(wide.view()).values);
    const std::vector<double> c = {1, -2, 0.5, 3, 0.25};
    std::vector<float> a(3001), b(3001);
    add_combination(view, c, a);
    add_combination(wide.view(), c, b);
    EXPECT_EQ(a, b);
    EXPECT_EQ(dot_products(view, a), dot_products(wide.view(), a));
    EXPECT_EQ(gram(view.slice(1000, 2000)).values, gram(wide.view().slice(1000, 2000)).values);
  });
}

TEST(Rows, ResultsDoNotDependOnTheNumberOfThreads) {
  with_every_vectors([&] {
    const Matrix m = random_matrix(9, 100000);
    const int before = threads();
    set_threads(1);
    const auto g1 = gram(m.view()).values;
    const auto p1 = dot_products(m.view(), m.rows[0]);
    set_threads(3);
    EXPECT_EQ(gram(m.view()).values, g1);
    EXPECT_EQ(dot_products(m.view(), m.rows[0]), p1);
    set_threads(before);
  });
}

TEST(Rows, CombinesOntoABase_AsIfAddedToItsCopy) {
  const Matrix m = random_matrix(6, 5000), base = random_matrix(1, 5000);
  const std::vector<double> c = {1, -2, 0.5, 3, 0.25, 7};
  std::vector<float> added = base.rows[0], onto(5000, 9.0F);
  add_combination(m.view(), c, added);
  combine_onto(base.rows[0], m.view(), c, onto);
  EXPECT_EQ(onto, added);
}

TEST(Rows, RefusesWrongSizes) {
  const Matrix m = random_matrix(2, 10);
  std::vector<float> out(9);
  EXPECT_THROW(add_combination(m.view(), std::vector<double>(3), std::span<float>(out)), Error);
  EXPECT_THROW(dot_products(m.view(), out), Error);
  EXPECT_THROW(m.view().slice(4, 11), Error);
}

TEST(SymmetricEigen, DecomposesInDescendingOrder) {
  const SmallMatrix g = gram(random_matrix(12, 500).view());
  const EigenDecomposition e = symmetric_eigen(g);
  EXPECT_TRUE(std::is_sorted(e.values.rbegin(), e.values.rend()));
  SmallMatrix scaled = e.vectors;
  for (int64_t i = 0; i < 12; ++i)
    for (int64_t j = 0; j < 12; ++j) scaled(i, j) *= e.values[static_cast<size_t>(j)];
  const SmallMatrix back = multiply(scaled, transpose(e.vectors));
  for (size_t i = 0; i < back.values.size(); ++i) EXPECT_NEAR(back.values[i], g.values[i], 1e-9);
  EXPECT_TRUE(symmetric_eigen(SmallMatrix()).values.empty());
}

TEST(RepairOrthonormality, LeavesOrthonormalRowsAsTheyAre_ToTheBit) {
  Matrix m = random_matrix(4, 5000);
  std::vector<std::span<float>> rows(m.rows.begin(), m.rows.end());
  orthonormalise(rows);
  const auto before = m.rows;
  EXPECT_TRUE(repair_orthonormality(rows).empty());
  EXPECT_EQ(m.rows, before);
  EXPECT_TRUE(repair_orthonormality({}).empty());
}

TEST(RepairOrthonormality, OrthonormalisesNearlyDependentRows_AndNamesDependentOnes) {
  Matrix m = random_matrix(4, 5000);
  std::vector<std::span<float>> rows(m.rows.begin(), m.rows.end());
  orthonormalise(rows);
  for (size_t k = 0; k < m.rows[1].size(); ++k) m.rows[1][k] = m.rows[0][k] + 1e-4f * m.rows[1][k];
  m.rows[3] = m.rows[2];
  EXPECT_EQ(repair_orthonormality(rows), std::vector<int64_t>{3});
  m.rows.pop_back();
  EXPECT_LT(orthonormality_error(m.view()), 1e-6);
  std::vector<float> shorter(9);
  EXPECT_THROW(repair_orthonormality({m.rows[0], shorter}), Error);
}

TEST(Orthonormalise, MakesIllConditionedRowsOrthonormal_AndDropsDependentOnes) {
  Matrix m = random_matrix(6, 20000);
  for (size_t r = 1; r < 6; ++r)
    for (size_t k = 0; k < m.rows[r].size(); ++k) m.rows[r][k] = m.rows[0][k] + 1e-3f * m.rows[r][k];  // nearly parallel
  for (size_t k = 0; k < m.rows[4].size(); ++k) m.rows[4][k] = 2 * m.rows[1][k];
  std::vector<std::span<float>> rows(m.rows.begin(), m.rows.end());
  EXPECT_EQ(orthonormalise(rows), std::vector<int64_t>{4});
  EXPECT_TRUE(std::all_of(m.rows[4].begin(), m.rows[4].end(), [](float v) { return v == 0; }));
  m.rows.erase(m.rows.begin() + 4);
  EXPECT_LT(orthonormality_error(m.view()), 1e-6);
}

}  // namespace
}  // namespace tsrun
