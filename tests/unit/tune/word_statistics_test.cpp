#include "tsrun/tune/word_statistics.h"

#include "support/finite_differences.h"
#include "support/golden_models.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/hidden_place.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

TEST(WordStatistics, PutsCountsIntoBucketsOfPowersOfTwo) {
  const at::Tensor counts = at::tensor(std::vector<int64_t>{0, 1, 2, 3, 4, 7, 8, 1000}, at::kLong);
  EXPECT_TRUE(at::equal(doubling_buckets(counts), at::tensor(std::vector<int64_t>{0, 1, 2, 2, 3, 3, 4, 10}, at::kLong)));
}

/// More rows than a block holds, of whole numbers, so that there are equal rows and products are exact.
TEST(WordStatistics, FindsTheNearestRows_AmongEqualsTheLowest) {
  const at::Tensor rows = (drawn_numbers({1500, 4}, 1) * 1.2).round();
  const NearestRows found = nearest_rows(rows, 5);
  const at::Tensor unit = unit_rows(rows.to(at::kFloat));
  at::Tensor cosines = at::mm(unit, unit.t());
  cosines.fill_diagonal_(-2);
  const auto [sorted, order] = cosines.sort(/*stable=*/true, 1, /*descending=*/true);
  EXPECT_TRUE(at::allclose(found.cosines, sorted.narrow(1, 0, 5), 0, 1e-6));
  const at::Tensor themselves = at::arange(1500, at::kLong).unsqueeze(1);
  EXPECT_FALSE((found.ids == themselves).any().item<bool>());
  for (int64_t row = 0; row < 1500; row += 7) {  // ids ascend among exactly equal rows
    for (int64_t i = 1; i < 5; ++i) {
      const int64_t before = found.ids[row][i - 1].item<int64_t>(), after = found.ids[row][i].item<int64_t>();
      if (at::equal(rows[before], rows[after])) {
        EXPECT_LT(before, after);
      }
    }
  }
}

TEST(WordStatistics, LeavesZeroRowsZero_WithoutGradient) {
  at::Tensor rows = drawn_numbers({3, 4}, 2);
  rows[1].zero_();
  EXPECT_EQ(unit_rows(rows)[1].norm().item<double>(), 0);
  const at::Tensor gradient = gradient_of([](const at::Tensor& x) { return unit_rows(x).sum(); }, rows);
  EXPECT_EQ(gradient[1].abs().max().item<double>(), 0);
  EXPECT_TRUE(gradient.isfinite().all().item<bool>());
}

TEST(WordStatistics, NamesTheMatricesOfAFamily) {
  const Model bert = golden_model("bert");
  EXPECT_EQ(word_matrix(*bert.family, "embeddings", "test"), "bert.embeddings.word_embeddings.weight");
  EXPECT_EQ(output_embeddings(*bert.family), "");
  EXPECT_THROW(word_matrix(*bert.family, "output_embeddings", "cosine"), Error);
}

TEST(HiddenPlace, CountsADecodersLayersOn_AndItsEmbeddings) {
  const auto t5 = make_family(read_json(goldens() / "t5_tiny/config.json"), {HeadKind::seq2seq_lm, 0}, "config.json");
  const int layers = t5->layers() / 2;
  EXPECT_EQ(hidden_place(*t5, 0, "test"), 0U);
  EXPECT_EQ(hidden_place(*t5, layers, "test"), static_cast<size_t>(layers));
  EXPECT_EQ(hidden_place(*t5, layers + 1, "test"), static_cast<size_t>(layers) + 2);
  EXPECT_THROW(hidden_place(*t5, t5->layers() + 1, "test"), Error);
}

}  // namespace
}  // namespace tsrun
