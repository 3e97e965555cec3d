#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::low_rank_moments {
namespace {

using namespace plugin_testing;

// A large ε: Adam turns rounding of tiny gradients into visible steps, which the suite's comparison of micro-batches would see.
const bool cases =
    add_regularizer_case("galore", {{"rank", 2}, {"update_proj_gap", 3}, {"epsilon", 0.01}}) &&
    add_regularizer_case("galore", {{"rank", 3}, {"update_proj_gap", 2}, {"proj_type", "full"}, {"epsilon", 0.01}}) &&
    add_regularizer_case("apollo", {{"rank", 2}, {"update_proj_gap", 3}, {"epsilon", 0.01}}) &&
    add_regularizer_case("apollo", {{"rank", 1}, {"scale_type", "tensor"}, {"scale", 128}, {"scale_front", true}, {"epsilon", 0.01}}) &&
    add_regularizer_case("apollo", {{"rank", 2}, {"proj", "svd"}, {"update_proj_gap", 2}, {"epsilon", 0.01}});

struct Made {
  SmallModel model = small_bert();
  std::unique_ptr<Regularizer> method;
  Step step{0, 9, 0, Key::root(1), *model.family, model.weights, {}, 1, false};

  Made(const std::string& name, const nlohmann::json& options) {
    const RegularizerMethod& maker = regularizer_method(name);
    method = maker.make({*model.family, model.weights, Key::root(1)}, maker.options().resolve(options, "test"));
  }
};

at::Tensor noise(std::vector<int64_t> shape, uint64_t seed) {
  at::Tensor numbers = at::empty(shape);
  fill_normal(Key::root(seed), {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
  return numbers;
}

constexpr double rate = 0.1, decay = 0.2, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6;

/// Adam's moments in float64.
struct PlainAdam {
  at::Tensor m, v;
  int64_t steps = 0;
  at::Tensor take(const at::Tensor& g) {
    m = m.defined() ? m * beta1 + g * (1 - beta1) : g * (1 - beta1);
    v = v.defined() ? v * beta2 + g * g * (1 - beta2) : g * g * (1 - beta2);
    ++steps;
    return m / (v.sqrt() + epsilon);
  }
  double correction() const { return std::sqrt(1 - std::pow(beta2, steps)) / (1 - std::pow(beta1, steps)); }
};

/// GaLore of one matrix by full singular value decompositions.
at::Tensor galore_by_hand(at::Tensor w, bool right, int64_t rank, int64_t gap, double scale) {
  PlainAdam adam;
  at::Tensor p;
  for (int64_t t = 0; t < 5; ++t) {
    const at::Tensor g = noise({w.size(0), w.size(1)}, static_cast<uint64_t>(t)).to(at::kDouble);
    if (t % gap == 0) {
      const auto [u, s, vh] = at::linalg_svd(g, false);
      p = right ? vh.narrow(0, 0, rank).t() : u.narrow(1, 0, rank);
      p = p * p.gather(0, p.abs().argmax(0, true)).sign();
    }
    const at::Tensor n = adam.take(right ? at::matmul(g, p) : at::matmul(p.t(), g));
    w = w * (1 - rate * decay) - rate * adam.correction() * scale * (right ? at::matmul(n, p.t()) : at::matmul(p, n));
  }
  return w;
}

TEST(Galore, IsAdamInTheLeadingDirections_OnEitherSide) {
  for (const auto& [rows, columns, type, right] : std::vector<std::tuple<int64_t, int64_t, std::string, bool>>{
           {9, 5, "std", true}, {5, 9, "std", false}, {9, 5, "reverse_std", false}, {5, 9, "right", true}}) {
    Made made("galore", {{"rank", 3}, {"update_proj_gap", 2}, {"scale", 0.7}, {"proj_type", type}});
    const at::Tensor start = noise({rows, columns}, 77);
    at::Tensor value = start.clone();
    for (int64_t t = 0; t < 5; ++t)
      made.method->update(made.step, {{"w", value, noise({rows, columns}, static_cast<uint64_t>(t)), rate, decay}});
    const at::Tensor expected = galore_by_hand(start.to(at::kDouble), right, 3, 2, 0.7);
    EXPECT_TRUE(at::allclose(value.to(at::kDouble), expected, 1e-3, 1e-4)) << rows << 'x' << columns << ' ' << type;
  }
}

/// The projected gradient of the first step is in Adam's first moment.
TEST(Apollo, ScalesEachChannelAsAdamDoesInTheProjection_AndLimitsGrowth) {
  for (const bool tensor : {false, true}) {
    Made made("apollo", {{"rank", 3}, {"scale", 4}, {"scale_type", tensor ? "tensor" : "channel"}});
    const at::Tensor start = noise({9, 5}, 77), gradient = noise({9, 5}, 3).to(at::kDouble);
    at::Tensor value = start.clone();
    PlainAdam adam;
    at::Tensor expected = start.to(at::kDouble), low;
    double last = 0;
    for (int64_t t = 0; t < 3; ++t) {
      const double growth = t == 1 ? 5 : 1;  // the second gradient is five times as long
      made.method->update(made.step, {{"w", value, gradient.to(at::kFloat) * growth, rate, decay}});
      if (t == 0) low = made.method->state().at("w.exp_avg").to(at::kDouble) / (1 - beta1);
      const at::Tensor n = adam.take(low * growth);
      const at::Tensor factor = tensor ? n.norm() / (low * growth).norm() : n.norm(2, {1}, true) / (low * growth).norm(2, {1}, true);
      at::Tensor scaled = gradient * growth * factor;
      const double norm = scaled.norm().item<double>();
      if (t > 0 && norm > 1.01 * last) scaled = scaled * (1.01 * last / norm);
      last = scaled.norm().item<double>();
      expected = expected * (1 - rate * decay) - rate * adam.correction() * 2 * scaled;
    }
    EXPECT_EQ(low.sizes().vec(), (std::vector<int64_t>{9, 3}));
    EXPECT_TRUE(at::allclose(value.to(at::kDouble), expected, 1e-3, 1e-4)) << tensor;
  }
}

TEST(Apollo, DrawsAnotherProjectionEveryPeriod_FromItsKeyAlone) {
  const at::Tensor gradient = noise({9, 5}, 3);
  const auto lows = [&] {
    Made made("apollo", {{"rank", 2}, {"update_proj_gap", 2}, {"beta1", 0}});
    std::vector<at::Tensor> all;
    at::Tensor value = at::zeros({9, 5});
    for (int64_t t = 0; t < 4; ++t) {
      made.method->update(made.step, {{"w", value, gradient, rate, 0}});
      all.push_back(made.method->state().at("w.exp_avg").clone());
    }
    return all;
  };
  const auto first = lows(), again = lows();
  for (size_t t = 0; t < 4; ++t) EXPECT_TRUE(at::equal(first[t], again[t]));
  EXPECT_TRUE(at::equal(first[0], first[1]));
  EXPECT_TRUE(at::equal(first[2], first[3]));
  EXPECT_FALSE(at::equal(first[0], first[2]));
}

TEST(LowRankMoments, HoldTheBytesThatTheFormulasSay) {
  const int64_t rank = 2, m = 9, n = 5;
  for (const char* name : {"galore", "apollo"}) {
    Made made(name, {{"rank", rank}});
    at::Tensor value = at::zeros({m, n});
    made.method->update(made.step, {{"w", value, noise({m, n}, 3), rate, 0}});
    const nlohmann::json report = made.method->report();
    EXPECT_EQ(report.at("moment_bytes"), 2 * 4 * rank * m) << name;
    EXPECT_EQ(report.at("projection_bytes"), std::string(name) == "galore" ? 4 * rank * n : 0) << name;
    EXPECT_EQ(report.at("matrices"), 1);
    EXPECT_EQ(report.at("projections"), 1);
  }
}

TEST(LowRankMoments, LeaveNarrowMatricesToTheOptimiser) {
  const SmallModel model = small_bert();
  const RegularizerMethod& method = regularizer_method("galore");
  const auto owned = [&](const nlohmann::json& options) {
    return method.wants(method.options().resolve(options, "test")).updated(*model.family);
  };
  EXPECT_EQ(owned({{"rank", 23}}).size(), 2U * 6 + 1);  // and the pooler's
  EXPECT_EQ(owned({{"rank", 4}, {"target_modules", {"query"}}}).size(), 2U);
}

TEST(LowRankMoments, RefuseARankThatNoMatrixIsAbove) {
  const SmallModel model = small_bert();
  for (const char* name : {"galore", "apollo"}) {
    const RegularizerMethod& method = regularizer_method(name);
    try {
      method.wants(method.options().resolve({{"rank", 24}}, "test")).updated(*model.family);
      FAIL() << "a rank of 24 was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      EXPECT_NE(std::string(error.what()).find("the widest has 24"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace tsrun::low_rank_moments
