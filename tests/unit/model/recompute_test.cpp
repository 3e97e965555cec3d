#include "model/recompute.h"

#include "model/add_norm.h"
#include "support.h"
#include "support/errors.h"
#include "tsrun/model/kernels.h"

#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace tsrun::model {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

const std::vector<std::string> block_names = {"in.weight", "in.bias", "out.weight", "out.bias", "norm.weight", "norm.bias"};

/// Weights of a residual feed-forward block, 24 wide, as leaves.
Weights block_weights(int64_t seed = 1) {
  at::manual_seed(static_cast<uint64_t>(seed));
  Weights weights;
  const std::vector<std::vector<int64_t>> shapes = {{40, 24}, {40}, {24, 40}, {24}, {24}, {24}};
  for (size_t i = 0; i < shapes.size(); ++i) weights.set(block_names[i], at::randn(shapes[i]).mul_(0.3).requires_grad_());
  return weights;
}

at::Tensor block(const at::Tensor& x, const Weights& w) {
  const at::Tensor y = at::linear(at::gelu(at::linear(x, w.at("in.weight"), w.at("in.bias"))), w.at("out.weight"), w.at("out.bias"));
  return at::layer_norm(x + y, {24}, w.at("norm.weight"), w.at("norm.bias"));
}

using Whole = std::function<at::Tensor(const at::Tensor& x, const Weights& weights)>;

/// The value of `whole` and the gradients of a weighted sum of it with respect to x and every weight.
std::vector<at::Tensor> value_and_gradients(const Whole& whole, const at::Tensor& x, const Weights& weights) {
  const at::Tensor y = whole(x, weights);
  std::vector<at::Tensor> inputs = {x}, all = {y.detach()};
  for (const std::string& name : weights.names()) inputs.push_back(weights.at(name));
  const at::Tensor loss = (y * at::arange(y.numel(), at::kFloat).sin().view_as(y)).sum();
  const auto gradients = torch::autograd::grad({loss}, inputs);
  all.insert(all.end(), gradients.begin(), gradients.end());
  return all;
}

double largest_difference_of(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, largest_difference(a[i], b[i]));
  return largest;
}

at::Tensor some_input() {
  at::manual_seed(5);
  return at::randn({7, 24}).requires_grad_();
}

at::Tensor recomputed_block(const at::Tensor& x, const Weights& w) { return recomputed(x, w, block_names, block); }

TEST(Recompute, GivesThePlainBits_FeedForwardAndNorm) {
  const Weights weights = block_weights();
  const at::Tensor x = some_input();
  EXPECT_EQ(largest_difference_of(value_and_gradients(recomputed_block, x, weights), value_and_gradients(block, x, weights)), 0);
}

TEST(Recompute, GivesThePlainBits_DropoutAttentionAndOurNorm) {
  const Weights weights = block_weights();
  const at::Tensor x = some_input();
  const Key key = Key::root(3);
  const RecomputedPart part = [key](const at::Tensor& in, const Weights& w) {
    const at::Tensor y =
        packed_attention(in, in, dropout(in, 0.2, key), {0, 3, 7}, {.heads = 3, .dropout = 0.1, .key = key.split("attention")});
    return add_norm(block(y, w), in, w.at("norm.weight"), w.at("norm.bias"), {1e-12, 0.1, key.split("norm"), {}});
  };
  const Whole again = [&](const at::Tensor& in, const Weights& w) { return recomputed(in, w, block_names, part); };
  EXPECT_EQ(largest_difference_of(value_and_gradients(again, x, weights), value_and_gradients(part, x, weights)), 0);
}

TEST(Recompute, RunsInAChain) {
  const Weights weights = block_weights();
  const at::Tensor x = some_input();
  const Whole plain = [](const at::Tensor& in, const Weights& w) { return block(block(block(in, w), w), w); };
  const Whole chain = [](const at::Tensor& in, const Weights& w) {
    return recomputed_block(recomputed_block(recomputed_block(in, w), w), w);
  };
  EXPECT_LE(largest_difference_of(value_and_gradients(chain, x, weights), value_and_gradients(plain, x, weights)), 1e-6);
}

TEST(Recompute, RunsNested) {
  const Weights weights = block_weights();
  const at::Tensor x = some_input();
  const RecomputedPart two = [](const at::Tensor& in, const Weights& w) { return recomputed_block(recomputed_block(in, w), w); };
  const Whole nested = [&](const at::Tensor& in, const Weights& w) {
    return recomputed(recomputed(in, w, block_names, two), w, block_names, two);
  };
  const Whole plain = [](const at::Tensor& in, const Weights& w) { return block(block(block(block(in, w), w), w), w); };
  EXPECT_LE(largest_difference_of(value_and_gradients(nested, x, weights), value_and_gradients(plain, x, weights)), 1e-6);
}

TEST(Recompute, TakesWeightsWithAHistory) {
  const Weights leaves = block_weights();
  const at::Tensor a = at::randn({2, 24}).requires_grad_(), b = at::randn({40, 2}).requires_grad_();
  const auto gradients = [&](const Whole& whole) {
    Weights merged = leaves;
    merged.set("in.weight", leaves.at("in.weight") + at::matmul(b, a));
    return torch::autograd::grad({whole(some_input(), merged).square().sum()}, {a, b, leaves.at("in.weight"), leaves.at("norm.bias")});
  };
  EXPECT_EQ(largest_difference_of(gradients(recomputed_block), gradients(block)), 0);
}

/// Block weights as leaf views into one flat buffer, with gradients that are views into another.
Weights leaf_views(at::Tensor& gradient) {
  const Weights start = block_weights();
  std::vector<at::Tensor> parts;
  for (const std::string& name : block_names) parts.push_back(start.at(name).detach().reshape({-1}));
  const at::Tensor values = at::cat(parts);
  gradient = at::zeros_like(values);
  Weights weights;
  int64_t offset = 0;
  for (const std::string& name : block_names) {
    const auto view = [&](const at::Tensor& flat) {
      return flat.narrow(0, offset, start.at(name).numel()).view(start.at(name).sizes()).detach();
    };
    at::Tensor leaf = view(values).requires_grad_();
    leaf.mutable_grad() = view(gradient);
    weights.set(name, leaf);
    offset += leaf.numel();
  }
  return weights;
}

TEST(Recompute, GathersGradientsOfLeafViewsInTheirBuffer) {
  const auto flat_gradient = [&](const Whole& whole) {
    at::Tensor gradient;
    const Weights weights = leaf_views(gradient);
    for (int step = 0; step < 2; ++step) whole(some_input(), weights).square().sum().backward();
    return gradient;
  };
  const at::Tensor plain = flat_gradient(block);
  EXPECT_TRUE(at::equal(flat_gradient(recomputed_block), plain));
  EXPECT_GT(plain.abs().sum().item<double>(), 0);
}

TEST(Recompute, GathersGradientsOfCapturedLeaves) {
  const Weights weights = block_weights();
  const auto captured_gradient = [&](bool again) {
    const at::Tensor scale = at::full({24}, 1.5F).requires_grad_();
    const RecomputedPart part = [scale](const at::Tensor& x, const Weights& w) { return block(x * scale, w); };
    const at::Tensor x = some_input();
    (again ? recomputed(x, weights, block_names, part) : part(x, weights)).square().sum().backward();
    return scale.grad();
  };
  EXPECT_TRUE(at::equal(captured_gradient(true), captured_gradient(false)));
}

TEST(Recompute, GathersGradientsOfCapturedLeavesWhenNothingElseLearns) {
  Weights frozen;
  for (const std::string& name : block_names) frozen.set(name, block_weights().at(name).detach());
  const at::Tensor scale = at::full({24}, 1.5F).requires_grad_();
  const RecomputedPart part = [scale](const at::Tensor& x, const Weights& w) { return block(x * scale, w); };
  recomputed(some_input().detach(), frozen, block_names, part).square().sum().backward();
  EXPECT_GT(scale.grad().abs().sum().item<double>(), 0);
}

TEST(Recompute, LeavesFrozenWeightsAlone) {
  Weights weights = block_weights();
  weights.set("in.weight", weights.at("in.weight").detach());
  recomputed_block(some_input().detach(), weights).square().sum().backward();
  EXPECT_FALSE(weights.at("in.weight").grad().defined());
  EXPECT_TRUE(weights.at("out.weight").grad().defined());
}

/// Whether an intermediate result of a block still has its memory after the forward pass.
bool keeps_intermediates(bool again) {
  using WeakStorage = c10::weak_intrusive_ptr<c10::StorageImpl>;
  const auto seen = std::make_shared<std::vector<WeakStorage>>();
  const RecomputedPart part = [seen](const at::Tensor& x, const Weights& w) {
    const at::Tensor wide = at::linear(x, w.at("in.weight"), w.at("in.bias"));
    seen->push_back(wide.storage().getWeakStorageImpl());
    return at::linear(at::gelu(wide), w.at("out.weight"), w.at("out.bias"));
  };
  const Weights weights = block_weights();
  const at::Tensor x = some_input();
  const at::Tensor y = again ? recomputed(x, weights, block_names, part) : part(x, weights);
  const bool kept = !seen->back().expired();
  y.sum().backward();
  EXPECT_EQ(seen->size(), again ? 2 : 1);
  EXPECT_TRUE(seen->back().expired()) << "backward leaves its own intermediates behind";
  return kept;
}

TEST(Recompute, KeepsNoIntermediates) {
  EXPECT_TRUE(keeps_intermediates(false));
  EXPECT_FALSE(keeps_intermediates(true));
}

TEST(Recompute, IsThePlainCallWithoutGradients) {
  const Weights weights = block_weights();
  int runs = 0;
  const RecomputedPart part = [&](const at::Tensor& x, const Weights& w) {
    ++runs;
    return block(x, w);
  };
  const at::NoGradGuard no_grad;
  const at::Tensor y = recomputed(some_input(), weights, block_names, part);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(at::equal(y, block(some_input(), weights)));
}

TEST(Recompute, RunsBackwardTwiceOverAKeptGraph) {
  const Weights weights = block_weights();
  const at::Tensor loss = recomputed_block(some_input(), weights).square().sum();
  loss.backward({}, /*retain_graph=*/true);
  const at::Tensor once = weights.at("in.weight").grad().clone();
  loss.backward();
  EXPECT_TRUE(at::equal(weights.at("in.weight").grad(), once + once));
}

TEST(Recompute, RefusesToBeDifferentiatedTwice) {
  const at::Tensor x = some_input(), loss = recomputed_block(x, block_weights()).square().sum();
  EXPECT_THAT(message_of(ErrorKind::internal, [&] { torch::autograd::grad({loss}, {x}, {}, true, /*create_graph=*/true); }),
              HasSubstr("cannot be differentiated twice"));
}

TEST(Recompute, ShowsOnlyTheNamedWeights) {
  const Weights weights = block_weights();
  EXPECT_THAT(message_of(ErrorKind::internal, [&] { recomputed(some_input(), weights, {"in.weight"}, block); }), HasSubstr("no tensor"));
}

}  // namespace
}  // namespace tsrun::model
