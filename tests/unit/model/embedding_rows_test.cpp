#include "model/embedding_rows.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/gradients_in_place.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace tsrun::model {
namespace {

constexpr int64_t words = 9, width = 5;

at::Tensor some_table() {
  at::manual_seed(1);
  return at::randn({words, width}).requires_grad_();
}

at::Tensor some_ids() { return at::tensor({3, 0, 3, 8, 1, 3, 0}, at::kLong); }

/// A weighted sum, so that every entry has a gradient of its own.
at::Tensor loss_of(const at::Tensor& rows) { return (rows * at::arange(rows.numel(), at::kFloat).sin().view_as(rows)).sum(); }

at::Tensor expected_gradient(int64_t padding) {
  const at::Tensor table = some_table();
  return torch::autograd::grad({loss_of(at::embedding(table, some_ids(), padding))}, {table})[0];
}

TEST(EmbeddingRows, AreThoseOfLibTorch) {
  const at::Tensor table = some_table();
  EXPECT_TRUE(at::equal(embedding_rows(table, some_ids(), -1), at::embedding(table, some_ids())));
}

TEST(EmbeddingRows, AddTheirGradientToTheLeafs) {
  for (const int64_t padding : {-1, 0}) {
    const at::Tensor table = some_table(), gradient = at::zeros({words, width});
    table.mutable_grad() = gradient;
    const at::Tensor loss = loss_of(embedding_rows(table, some_ids(), padding));
    {
      const AddsGradientsInPlace by_rows;
      loss.backward();
    }
    EXPECT_TRUE(at::equal(gradient, expected_gradient(padding)));
    EXPECT_TRUE(table.grad().is_same(gradient));
  }
}

/// A table that is also the head's matrix: both gradients arrive.
TEST(EmbeddingRows, AddBesideAnotherUseOfTheTable) {
  const auto loss = [](const at::Tensor& table, const at::Tensor& rows) { return loss_of(at::linear(rows, table)); };
  const at::Tensor table = some_table(), gradient = at::zeros({words, width});
  const at::Tensor expected = torch::autograd::grad({loss(table, at::embedding(table, some_ids()))}, {table})[0];
  table.mutable_grad() = gradient;
  const AddsGradientsInPlace by_rows;
  loss(table, embedding_rows(table, some_ids(), -1)).backward();
  EXPECT_TRUE(at::equal(gradient, expected));
}

TEST(EmbeddingRows, MakeAGradientWhereTheLeafHasNone) {
  const at::Tensor table = some_table();
  const AddsGradientsInPlace by_rows;
  loss_of(embedding_rows(table, some_ids(), -1)).backward();
  EXPECT_TRUE(at::equal(table.grad(), expected_gradient(-1)));
}

TEST(EmbeddingRows, ReturnTheirGradientOutsideTheScope) {
  const at::Tensor table = some_table();
  table.mutable_grad() = at::zeros({words, width});
  { const AddsGradientsInPlace by_rows; }
  const at::Tensor gradient = torch::autograd::grad({loss_of(embedding_rows(table, some_ids(), 0))}, {table})[0];
  EXPECT_TRUE(at::equal(gradient, expected_gradient(0)));
  EXPECT_EQ(table.grad().count_nonzero().item<int64_t>(), 0);
}

/// d/dT of ½‖∂(Σ s r²/2)/∂T‖² with r = T[ids], all ids different: s² T[ids].
TEST(EmbeddingRows, CanBeDifferentiatedTwice) {
  const at::Tensor table = some_table(), ids = at::tensor({2, 7}, at::kLong);
  const at::Tensor rows = embedding_rows(table, ids, -1);
  const at::Tensor first = torch::autograd::grad({rows.square().sum() * 1.5}, {table}, {}, std::nullopt, /*create_graph=*/true)[0];
  const at::Tensor second = torch::autograd::grad({first.square().sum() / 2}, {table})[0];
  EXPECT_TRUE(at::allclose(second.index_select(0, ids), 9 * table.detach().index_select(0, ids)));
}

/// The optimiser may have changed the table, as with several losses of one forward pass.
TEST(EmbeddingRows, DoNotReadTheTableInBackward) {
  const at::Tensor table = some_table();
  const at::Tensor loss = loss_of(embedding_rows(table, some_ids(), -1));
  {
    const at::NoGradGuard no_grad;
    table.add_(1);
  }
  const at::Tensor gradient = torch::autograd::grad({loss}, {table})[0];
  EXPECT_TRUE(at::equal(gradient, expected_gradient(-1)));
}

}  // namespace
}  // namespace tsrun::model
