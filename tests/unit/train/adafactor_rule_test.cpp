#include "tsrun/train/adafactor.h"

#include "tsrun/base/operators.h"
#include "tsrun/base/random.h"

#include <gtest/gtest.h>

// Tensors one at a time, and matrices by the factors of their gradients, against the optimiser that is given the gradients.
namespace tsrun {
namespace {

/// One tensor under the optimiser, with its gradient written out.
struct WrittenOut {
  WrittenOut(const at::Tensor& first, double lr) : groups(1) {
    groups[0].name = "w";
    groups[0].layout.add("w", first.sizes().vec());
    groups[0].value = first.reshape({-1}).clone();
    groups[0].gradient = at::zeros_like(groups[0].value);
    groups[0].lr = lr;
    optimizer = make_adafactor(groups, {});
  }
  const at::Tensor& step(const at::Tensor& gradient) {
    groups[0].gradient.copy_(gradient.reshape({-1}));
    optimizer->step(1);
    return groups[0].value;
  }
  std::vector<ParameterGroup> groups;
  std::unique_ptr<Optimizer> optimizer;
};

at::Tensor drawn_normals(uint64_t seed, at::IntArrayRef shape, double deviation = 1) {
  at::Tensor result = at::empty(shape, at::kFloat);
  fill_normal(Key::root(seed), {result.mutable_data_ptr<float>(), static_cast<size_t>(result.numel())}, 0, 0,
              static_cast<float>(deviation));
  return result;
}

std::span<float> all_of(const at::Tensor& tensor) { return {tensor.mutable_data_ptr<float>(), static_cast<size_t>(tensor.numel())}; }

/// A matrix, its running means, and steps from factors: `narrow` [K, d], `wide` [K, N].
struct ByFactors {
  explicit ByFactors(at::Tensor first)
      : values(std::move(first)), rows(at::zeros({values.size(0)}, at::kFloat)), columns(at::zeros({values.size(1)}, at::kFloat)) {}
  at::Tensor step(const AdafactorRule& rule, const at::Tensor& narrow, const at::Tensor& wide) {
    SmallMatrix small(narrow.size(0), narrow.size(1));
    for (size_t i = 0; i < small.values.size(); ++i) small.values[i] = narrow.view({-1})[static_cast<int64_t>(i)].item<double>();
    std::vector<const float*> pointers;
    for (int64_t k = 0; k < wide.size(0); ++k) pointers.push_back(wide.const_data_ptr<float>() + k * wide.size(1));
    const LongRows matrix = {values.mutable_data_ptr<float>(), values.size(0), values.size(1)};
    const SmallMatrix products = adafactor_outer(rule, matrix, all_of(rows), all_of(columns), pointers, small);
    return at::tensor(products.values, at::kDouble).view({products.rows, products.columns});
  }
  at::Tensor values, rows, columns;
};

TEST(AdafactorRule, MovesAMatrixByTheFactorsOfItsGradient_AsTheOptimiserDoes) {
  constexpr int64_t dim = 5, length = 1203;
  ByFactors ours(drawn_normals(1, {dim, length}, 0.02));
  WrittenOut plain(ours.values, 1e-2), transposed(ours.values.t().contiguous(), 1e-2);
  for (int64_t step = 1; step <= 6; ++step) {
    const int64_t many = 1 + step % 3;
    const auto seed = static_cast<uint64_t>(10 * step);
    const at::Tensor wide = drawn_normals(seed, {many, length}, 1e-3 * static_cast<double>(step * step));
    const at::Tensor narrow = drawn_normals(seed + 1, {many, dim}, 0.5), before = ours.values.clone();
    const at::Tensor products = ours.step({step, 1e-2}, narrow, wide), gradient = narrow.t().matmul(wide);
    EXPECT_TRUE(at::allclose(products, wide.matmul(before.t()).to(at::kDouble), 1e-4, 1e-5));
    EXPECT_GT((ours.values - before).abs().max().item<float>(), 1e-3);
    EXPECT_LT((ours.values.view({-1}) - plain.step(gradient)).abs().max().item<float>(), 2e-6) << "step " << step;
    const at::Tensor turned = ours.values.t().reshape({-1});
    EXPECT_LT((turned - transposed.step(gradient.t().contiguous())).abs().max().item<float>(), 2e-6) << "step " << step;
  }
}

TEST(AdafactorRule, LeavesNothingUndefined_WhenAGradientIsZero) {
  ByFactors ours(drawn_normals(1, {3, 50}));
  const at::Tensor before = ours.values.clone();
  ours.step({1, 1e-2}, drawn_normals(2, {2, 3}), at::zeros({2, 50}));
  EXPECT_TRUE(at::equal(ours.values, before));
}

TEST(AdafactorRule, MovesAVectorAsTheOptimiserDoes) {
  const at::Tensor ours = drawn_normals(1, {70}), squares = at::zeros({70}, at::kFloat);
  WrittenOut plain(ours, 0.1);
  for (int64_t step = 1; step <= 5; ++step) {
    const at::Tensor gradient = drawn_normals(20 + static_cast<uint64_t>(step), {70}) * step, expected = plain.step(gradient);
    adafactor_vector({step, 0.1}, all_of(ours), all_of(gradient), all_of(squares));
    EXPECT_TRUE(at::allclose(ours, expected, 1e-4, 1e-5)) << step;
  }
}

}  // namespace
}  // namespace tsrun
