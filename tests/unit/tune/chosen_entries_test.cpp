#include "tune/chosen_entries.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::tune {
namespace {

constexpr int64_t words = 7, width = 3;

/// A table of word embeddings of which five entries are trained, in the rows 1, 2 and 6.
struct Table {
  Table() : mask(at::zeros({words, width}, at::kBool)) {
    info.name = "words";
    info.shape = {words, width};
    for (const int64_t entry : {3, 5, 7, 18, 20}) mask.view({-1})[entry] = true;
    origin.set(info.name, at::arange(words * width, at::kFloat).view({words, width}));
    chosen.emplace("chosen", std::vector<std::pair<const ParameterInfo*, at::Tensor>>{{&info, mask}}, origin, at::kCPU);
    chosen->add_to(weights);
  }
  at::Tensor table() const { return weights.at(info.name); }
  /// One backward pass of a weighted sum of the rows `ids`, whose gradient is sparse.
  void pass(const at::Tensor& ids) const { (sparse_rows(ids) * slopes(ids)).sum().backward(); }
  at::Tensor sparse_rows(const at::Tensor& ids) const {
    return at::embedding(table(), ids, /*padding_idx=*/-1, /*scale_grad_by_freq=*/false, /*sparse=*/true);
  }
  /// The whole gradient of a pass, by hand.
  static at::Tensor whole_gradient(const at::Tensor& ids) {
    at::Tensor whole = at::zeros({words, width});
    for (int64_t token = 0; token < ids.numel(); ++token) whole[ids[token].item<int64_t>()] += slopes(ids)[token];
    return whole;
  }
  static at::Tensor slopes(const at::Tensor& ids) { return at::arange(ids.numel() * width, at::kFloat).view({-1, width}).square(); }

  ParameterInfo info;
  at::Tensor mask;
  Weights origin, weights;
  std::optional<ChosenEntries> chosen;
};

TEST(ChosenEntries, AreTheMasksEntries_AndReachTheWholeParameter) {
  const Table t;
  EXPECT_TRUE(at::equal(t.chosen->buffer().value, at::tensor({3.f, 5.f, 7.f, 18.f, 20.f})));
  EXPECT_EQ(t.chosen->left_out(), words * width - 5);
  {
    const at::NoGradGuard no_grad;
    t.chosen->buffer().value.add_(100);
  }
  t.chosen->scatter();
  const at::Tensor expected = t.origin.at("words") + 100 * t.mask;
  EXPECT_TRUE(at::equal(t.table(), expected));
  EXPECT_TRUE(at::equal(t.chosen->gather(t.weights), t.chosen->buffer().value));
}

/// The first pass sees that entries outside have gradients; the later ones take rows, of which some repeat and some have no chosen entry.
TEST(ChosenEntries, GatherGradientsOfRows_AsOfTheWholeTable) {
  const Table t;
  at::Tensor expected = at::zeros({5});
  for (const at::Tensor& ids :
       {at::tensor({0, 1, 6}, at::kLong), at::tensor({6, 2, 6, 4, 1, 6}, at::kLong), at::tensor({0, 3}, at::kLong)}) {
    t.pass(ids);
    expected += Table::whole_gradient(ids).masked_select(t.mask);
    EXPECT_TRUE(at::equal(t.chosen->buffer().gradient, expected)) << ids;
    EXPECT_TRUE(t.chosen->acted());
  }
}

TEST(ChosenEntries, HaveNotActed_WhileNothingOutsideHadAGradient) {
  const Table t;
  (t.sparse_rows(at::tensor({1}, at::kLong)) * at::tensor({2.f, 0.f, 3.f})).sum().backward();
  EXPECT_FALSE(t.chosen->acted());
  EXPECT_TRUE(at::equal(t.chosen->buffer().gradient, at::tensor({2.f, 3.f, 0.f, 0.f, 0.f})));
}

}  // namespace
}  // namespace tsrun::tune
