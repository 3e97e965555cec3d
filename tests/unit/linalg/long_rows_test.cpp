#include "tsrun/linalg/long_rows.h"

#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"

#include "support/every_vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

/// Rows end to end, and products written out.
struct Long {
  Long(int64_t rows, int64_t columns, uint64_t seed) : rows(rows), columns(columns), values(static_cast<size_t>(rows * columns)) {
    fill_normal(Key::root(seed), values);
  }
  LongRows view() { return {values.data(), rows, columns}; }
  float at(int64_t r, int64_t c) const { return values[static_cast<size_t>(r * columns + c)]; }
  std::vector<const float*> pointers() const {
    std::vector<const float*> result;
    for (int64_t r = 0; r < rows; ++r) result.push_back(values.data() + r * columns);
    return result;
  }
  int64_t rows, columns;
  std::vector<float> values;
};

double written_dot(const Long& a, int64_t r, const Long& b, int64_t s) {
  double sum = 0;
  for (int64_t i = 0; i < a.columns; ++i) sum += static_cast<double>(a.at(r, i)) * static_cast<double>(b.at(s, i));
  return sum;
}

SmallMatrix some_codes(int64_t rows, int64_t columns) {
  const Long drawn(rows, columns, 4);
  SmallMatrix codes(rows, columns);
  codes.values.assign(drawn.values.begin(), drawn.values.end());
  return codes;
}

/// The factors of columns as a callback.
ColumnScale scale_by(const std::vector<float>& factors) {
  return [&factors](int64_t begin, int64_t count, float* out) { std::copy_n(factors.begin() + begin, count, out); };
}

constexpr int64_t two_blocks_and_a_bit = 2603;

TEST(LongRows, MultiplyWhateverTheNumberOfVectors) {
  with_every_vectors([&] {
    for (const int64_t dim : {1, 4, 7, 10, 23}) {
      for (const int64_t many : {1, 2, 5}) {
        Long matrix(dim, two_blocks_and_a_bit, 1);
        const Long wide(many, two_blocks_and_a_bit, 2);
        const SmallMatrix found = multiply_rows(matrix.view(), wide.pointers());
        for (int64_t k = 0; k < many; ++k)
          for (int64_t j = 0; j < dim; ++j) EXPECT_NEAR(found(k, j), written_dot(wide, k, matrix, j), 1e-3) << dim << " " << many;
      }
    }
  });
}

TEST(LongRows, CombineFromABase) {
  with_every_vectors([&] {
    for (const int64_t dim : {1, 4, 7, 10, 23}) {
      for (const int64_t many : {1, 2, 5}) {
        Long matrix(dim, two_blocks_and_a_bit, 1), out(many, two_blocks_and_a_bit, 9);
        const Long base(1, two_blocks_and_a_bit, 3);
        const SmallMatrix codes = some_codes(many, dim);
        std::vector<RowTarget> targets;
        for (int64_t k = 0; k < many; ++k) targets.push_back({base.values.data(), -1, out.values.data() + k * out.columns});
        combine_rows(matrix.view(), codes, targets);
        for (int64_t k = 0; k < many; ++k) {
          for (int64_t i = 0; i < out.columns; ++i) {
            double expected = -static_cast<double>(base.at(0, i));
            for (int64_t j = 0; j < dim; ++j) expected += codes(k, j) * static_cast<double>(matrix.at(j, i));
            ASSERT_NEAR(out.at(k, i), expected, 1e-4) << dim << " " << many << " " << i;
          }
        }
      }
    }
  });
}

TEST(LongRows, UpdateAndSayWhatTheProductsWere) {
  with_every_vectors([&] {
    for (const int64_t dim : {1, 5, 10, 23}) {
      for (const int64_t many : {1, 2, 3, 14}) {
        Long matrix(dim, two_blocks_and_a_bit, 1);
        const Long before = matrix, wide(many, two_blocks_and_a_bit, 2), scales(1, two_blocks_and_a_bit, 3);
        const SmallMatrix codes = some_codes(many, dim);
        const SmallMatrix products = multiply_and_update(matrix.view(), wide.pointers(), scale_by(scales.values), codes);
        for (int64_t j = 0; j < dim; ++j) {
          for (int64_t k = 0; k < many; ++k) EXPECT_NEAR(products(k, j), written_dot(wide, k, before, j), 1e-3) << dim << " " << many;
          for (int64_t i = 0; i < matrix.columns; ++i) {
            double change = 0;
            for (int64_t k = 0; k < many; ++k) change += codes(k, j) * static_cast<double>(wide.at(k, i));
            ASSERT_NEAR(matrix.at(j, i), before.at(j, i) + scales.at(0, i) * change, 1e-4) << dim << " " << many << " " << i;
          }
        }
      }
    }
  });
}

TEST(LongRows, GiveTheSameBytes_OnOneThreadAndTwo) {
  with_every_vectors([&] {
    const int known = threads();
    const std::vector<float> halves(70001, 0.5F);
    std::vector<std::vector<float>> results;
    for (const int count : {1, 2}) {
      set_threads(count);
      Long matrix(6, 70001, 1), wide(3, 70001, 2);
      const SmallMatrix products = multiply_and_update(matrix.view(), wide.pointers(), scale_by(halves), some_codes(3, 6));
      results.push_back(matrix.values);
      results.back().insert(results.back().end(), products.values.begin(), products.values.end());
    }
    set_threads(known);
    EXPECT_EQ(results[0], results[1]);
  });
}

TEST(LongRows, SumQuadraticForms_NeverBelowZero) {
  with_every_vectors([&] {
    const Long wide(2, two_blocks_and_a_bit, 2);
    SmallMatrix square(2, 2), below(2, 2);
    square(0, 0) = square(1, 1) = 2;
    square(0, 1) = square(1, 0) = 1;
    below(0, 0) = -1;
    double expected = 0;
    for (int64_t i = 0; i < wide.columns; ++i) {
      const double a = wide.at(0, i), b = wide.at(1, i);
      expected += 2 * a * a + 2 * b * b + 2 * a * b;
    }
    const TwoSums found = over_quadratic_forms(wide.pointers(), wide.columns, {square, below},
                                               [](int64_t, int64_t count, const std::vector<const double*>& forms) {
                                                 double sum = 0;
                                                 for (int64_t i = 0; i < count; ++i) {
                                                   EXPECT_EQ(forms[1][i], 0);
                                                   sum += forms[0][i];
                                                 }
                                                 return TwoSums{sum, static_cast<double>(count)};
                                               });
    EXPECT_NEAR(found[0], expected, 1e-9 * expected);
    EXPECT_EQ(found[1], static_cast<double>(wide.columns));
  });
}

}  // namespace
}  // namespace tsrun
