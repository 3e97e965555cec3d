#include "model/attention.h"
#include "model/add_norm.h"
#include "support.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/model/kernels.h"

#include "support/every_vectors.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

namespace tsrun::model {
namespace {

/// A case: row lengths, heads, head size, and what is switched on. Compared with the float64 composition.
struct Case {
  std::vector<int64_t> lengths;
  int64_t heads, size;
  double dropout = 0;
  bool causal = false;
  int64_t prefix = 0;
  int64_t key_heads = 0;  ///< 0: as heads
  bool biased = false;    ///< by distance, with a scale of 1
  int64_t window = 0;     ///< of a causal case

  int64_t longest() const { return *std::max_element(lengths.begin(), lengths.end()); }
  int64_t key_width() const { return (key_heads > 0 ? key_heads : heads) * size; }
  AttentionOptions options() const {
    AttentionOptions options;
    options.heads = heads;
    options.key_heads = key_heads;
    options.dropout = dropout;
    options.key = Key::root(5);
    options.causal = causal;
    if (!biased) return options;
    options.scale = 1;
    options.first_distance = -(prefix + longest() - 1);
    return options;
  }
};

std::vector<int64_t> offsets_of(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> offsets = {0};
  for (int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

struct Inputs {
  std::vector<at::Tensor> tensors;  ///< query, key, value, then prefix key and value, then a bias, where there are such
  at::Tensor weights;               ///< of the output, to make a scalar
};

Inputs inputs_of(const Case& c) {
  at::manual_seed(3);
  const int64_t tokens = offsets_of(c.lengths).back(), width = c.heads * c.size;
  Inputs inputs;
  for (int i = 0; i < 3; ++i) inputs.tensors.push_back(at::randn({tokens, i == 0 ? width : c.key_width()}));
  for (int i = 0; i < 2 && c.prefix > 0; ++i) inputs.tensors.push_back(at::randn({c.prefix, c.key_width()}));
  if (c.biased) inputs.tensors.push_back(at::randn({c.heads, c.prefix + 2 * c.longest() - 1}));
  inputs.weights = at::randn({tokens, width});
  return inputs;
}

/// Attention of a case with a window: x is query, key, value, and a prefix's key and value where there is one.
at::Tensor windowed(const Case& c, const std::vector<at::Tensor>& x, const AttentionOptions& options) {
  auto rows = std::make_shared<AttentionRows>();
  rows->query_offsets = offsets_of(c.lengths);
  rows->key_offsets = offsets_with_prefix(rows->query_offsets, c.prefix);
  rows->prefix = c.prefix;
  rows->window = c.window;
  if (c.prefix == 0) return attend(x[0], x[1], x[2], rows, options);
  return attend(x[0], with_prefix(x[1], x[3], rows->query_offsets), with_prefix(x[2], x[4], rows->query_offsets), rows, options);
}

/// The output and the gradients of all inputs, computed in `type`.
std::vector<at::Tensor> run(const Case& c, const Inputs& inputs, at::ScalarType type) {
  std::vector<at::Tensor> x;
  for (const at::Tensor& tensor : inputs.tensors) x.push_back(tensor.to(type, false, true).requires_grad_());
  AttentionOptions options = c.options();
  if (c.biased) options.distance_bias = x.back();
  const std::vector<int64_t> offsets = offsets_of(c.lengths);
  const at::Tensor y = c.window > 0   ? windowed(c, x, options)
                       : c.prefix > 0 ? packed_attention(x[0], x[1], x[2], offsets, options, x[3], x[4])
                                      : packed_attention(x[0], x[1], x[2], offsets, options);
  (y * inputs.weights.to(type)).sum().backward();
  std::vector<at::Tensor> results = {y.detach()};
  for (const at::Tensor& tensor : x) results.push_back(tensor.grad());
  return results;
}

void expect_equals_float64(const Case& c) {
  const Inputs inputs = inputs_of(c);
  const auto expected = run(c, inputs, at::kDouble);
  with_every_vectors([&] {
    const auto found = run(c, inputs, at::kFloat);
    for (size_t i = 0; i < found.size(); ++i) EXPECT_LT(relative_difference(found[i], expected[i]), 2e-6) << "tensor " << i;
  });
}

TEST(Attention, EqualsFloat64_MixedLengths) { expect_equals_float64({{1, 7, 33, 16, 130, 24}, 3, 32}); }
TEST(Attention, EqualsFloat64_OddHeadSize) { expect_equals_float64({{5, 19}, 2, 7}); }
TEST(Attention, EqualsFloat64_WideHeads) { expect_equals_float64({{40, 3}, 1, 96}); }
TEST(Attention, EqualsFloat64_Dropout) { expect_equals_float64({{9, 70, 1, 49}, 2, 16, 0.2}); }
TEST(Attention, EqualsFloat64_Causal) { expect_equals_float64({{9, 70, 1}, 2, 16, 0, true}); }
TEST(Attention, EqualsFloat64_PrefixAndDropout) { expect_equals_float64({{9, 50, 1}, 2, 16, 0.1, false, 5}); }
TEST(Attention, EqualsFloat64_CausalPrefix) { expect_equals_float64({{9, 50, 1}, 2, 16, 0, true, 5}); }

TEST(Attention, EqualsFloat64_GroupedKeyHeads) {
  expect_equals_float64({.lengths = {9, 50, 1}, .heads = 6, .size = 16, .dropout = 0.1, .causal = true, .prefix = 3, .key_heads = 2});
}
TEST(Attention, EqualsFloat64_BiasByDistance) {
  expect_equals_float64({.lengths = {9, 50, 1}, .heads = 2, .size = 16, .dropout = 0.1, .biased = true});
}
TEST(Attention, EqualsFloat64_CausalBiasAndPrefix) {
  expect_equals_float64({.lengths = {9, 30, 1}, .heads = 2, .size = 16, .causal = true, .prefix = 4, .biased = true});
}

TEST(Attention, EqualsFloat64_Window) {
  expect_equals_float64({.lengths = {9, 50, 1, 130}, .heads = 2, .size = 16, .dropout = 0.1, .causal = true, .window = 7});
}
TEST(Attention, EqualsFloat64_WindowPrefixBiasAndGroupedKeyHeads) {
  expect_equals_float64(
      {.lengths = {9, 50, 1}, .heads = 4, .size = 16, .causal = true, .prefix = 3, .key_heads = 2, .biased = true, .window = 5});
}
TEST(Attention, SeesItselfAlone_WindowOfOne) {
  const Case c{.lengths = {5, 19}, .heads = 2, .size = 16, .causal = true, .window = 1};
  const Inputs inputs = inputs_of(c);
  EXPECT_LT(largest_difference(windowed(c, inputs.tensors, c.options()), inputs.tensors[2]), 1e-6);
}
TEST(Attention, GivesTheSameBits_WindowLongerThanTheRows) {
  const Case c{.lengths = {5, 19}, .heads = 2, .size = 16, .causal = true, .window = 19};
  Case open = c;
  open.window = 0;
  const Inputs inputs = inputs_of(c);
  EXPECT_TRUE(at::equal(run(c, inputs, at::kFloat)[0], run(open, inputs, at::kFloat)[0]));
}

TEST(Attention, LooksOnlyAtTheKeysThatARowHas_RoomBehindThem) {
  with_every_vectors([&] {
    const Case c{{5, 19}, 2, 16};
    const Inputs inputs = inputs_of(c);
    const at::Tensor expected = run(c, inputs, at::kDouble)[0];
    const auto with_room = [&](const at::Tensor& x) {  // four and three vectors of rubbish behind the rows
      return at::cat({x.narrow(0, 0, 5), at::full({4, 32}, 1e6f), x.narrow(0, 5, 19), at::full({3, 32}, -1e6f)});
    };
    auto rows = std::make_shared<AttentionRows>();
    rows->query_offsets = offsets_of(c.lengths);
    rows->key_offsets = {0, 9, 31};
    rows->key_counts = c.lengths;
    const at::Tensor q = inputs.tensors[0], k = with_room(inputs.tensors[1]), v = with_room(inputs.tensors[2]);
    EXPECT_LT(relative_difference(attend(q, k, v, rows, c.options()), expected), 2e-6);
    EXPECT_LT(relative_difference(attend_by_composition(q, k, v, *rows, c.options()), expected), 2e-6);
  });
}

TEST(Attention, RefusesABiasThatLacksDistances) {
  const Case c{{5, 19}, 2, 16};
  const Inputs inputs = inputs_of(c);
  AttentionOptions options = c.options();
  options.distance_bias = at::zeros({2, 36});
  options.first_distance = -18;
  EXPECT_THROW(packed_attention(inputs.tensors[0], inputs.tensors[1], inputs.tensors[2], offsets_of(c.lengths), options), Error);
}

TEST(Attention, EqualsFloat64_SomeQueriesOnly) {
  with_every_vectors([&] {
    const Case c{{30, 64, 2}, 2, 16, 0.2};
    const Inputs inputs = inputs_of(c);
    const std::vector<int64_t> tokens = {0, 29, 30, 77, 93, 95};
    auto rows = std::make_shared<AttentionRows>();
    rows->key_offsets = offsets_of(c.lengths);
    rows->query_offsets = {0, 2, 5, 6};
    rows->query_positions = {0, 29, 0, 47, 63, 1};
    const at::Tensor chosen = at::tensor(tokens, at::kLong);
    const at::Tensor found = attend(inputs.tensors[0].index_select(0, chosen), inputs.tensors[1], inputs.tensors[2], rows, c.options());
    EXPECT_LT(relative_difference(found, run(c, inputs, at::kDouble)[0].index_select(0, chosen)), 2e-6);
  });
}

TEST(Attention, DoesNotDependOnThreads) {
  with_every_vectors([&] {
    const Case c{{64, 80, 100, 31}, 4, 32, 0.1};
    const Inputs inputs = inputs_of(c);
    const int before = threads();
    set_threads(1);
    const auto one = run(c, inputs, at::kFloat);
    set_threads(3);
    const auto three = run(c, inputs, at::kFloat);
    set_threads(before);
    for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], three[i])) << "tensor " << i;
  });
}

TEST(Attention, SurvivesScoresOfAnySize) {
  with_every_vectors([&] {
    const at::Tensor x = at::full({8, 16}, 100.0f), y = packed_attention(x, x, x, {0, 8}, {.heads = 2});
    EXPECT_LT(largest_difference(y, x), 1e-3);
  });
}

TEST(Attention, CanBeDifferentiatedTwice) {
  const Case c{{5, 3}, 2, 4, 0.1};
  const Inputs inputs = inputs_of(c);
  const auto second = [&](at::ScalarType type) {
    const at::Tensor q = inputs.tensors[0].to(type, false, true).requires_grad_();
    const at::Tensor y = packed_attention(q, inputs.tensors[1].to(type), inputs.tensors[2].to(type), offsets_of(c.lengths), c.options());
    const auto first = torch::autograd::grad({(y * inputs.weights.to(type)).sum()}, {q}, {}, true, true);
    return torch::autograd::grad({first[0].square().sum()}, {q})[0];
  };
  EXPECT_LT(relative_difference(second(at::kFloat), second(at::kDouble)), 1e-5);
}

/// Output and gradients of add_norm in `type`.
std::vector<at::Tensor> run_add_norm(at::ScalarType type, int64_t rows, int64_t width, const AddNormOptions& options) {
  at::manual_seed(4);
  const auto leaf = [&](at::IntArrayRef shape) { return at::randn(shape).to(type).requires_grad_(); };
  const std::vector<at::Tensor> x = {leaf({rows, width}), leaf({rows, width}), leaf({width}), leaf({width})};
  const at::Tensor weights = at::randn({rows, width}).to(type), y = add_norm(x[0], x[1], x[2], x[3], options);
  (y * weights).sum().backward();
  return {y.detach(), x[0].grad(), x[1].grad(), x[2].grad(), x[3].grad()};
}

void expect_norm_equals_float64(int64_t rows, int64_t width, const AddNormOptions& options) {
  const auto expected = run_add_norm(at::kDouble, rows, width, options);
  with_every_vectors([&] {
    const auto found = run_add_norm(at::kFloat, rows, width, options);
    for (size_t i = 0; i < found.size(); ++i) EXPECT_LT(relative_difference(found[i], expected[i]), 3e-6) << "tensor " << i;
  });
}

TEST(AddNorm, EqualsFloat64) { expect_norm_equals_float64(200, 384, {}); }
TEST(AddNorm, EqualsFloat64_OddWidth) { expect_norm_equals_float64(7, 21, {}); }
TEST(AddNorm, EqualsFloat64_Dropout) { expect_norm_equals_float64(77, 65, {1e-12, 0.2, Key::root(8), {}}); }

TEST(AddNorm, TreatsASubsetAsAmongAllRows) {
  with_every_vectors([&] {
    const at::Tensor x = at::randn({50, 40}), residual = at::randn({50, 40}), gain = at::randn({40}), bias = at::randn({40});
    const at::Tensor places = at::tensor(std::vector<int64_t>{3, 17, 49}, at::kLong);
    const at::Tensor all = add_norm(x, residual, gain, bias, {1e-12, 0.3, Key::root(8), {}});
    const at::Tensor some =
        add_norm(x.index_select(0, places), residual.index_select(0, places), gain, bias, {1e-12, 0.3, Key::root(8), places});
    EXPECT_TRUE(at::equal(some, all.index_select(0, places)));
  });
}

}  // namespace
}  // namespace tsrun::model
