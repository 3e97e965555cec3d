#include "support/finite_differences.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "factors.h"
#include "method.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "unit/train/kinds.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::spectrum_control {
namespace {

using namespace plugin_testing;

using namespace spectrum_control;  // NOLINT: of this plugin
using nlohmann::json;

const bool cases = add_delta_case("spectrum_factors", json::object()) &&
                   add_delta_case("spectrum_factors", {{"matrix", "input_embeddings"}}) &&
                   add_regularizer_case("spectrum_control", {{"of", "matrix"}}) &&
                   add_regularizer_case("spectrum_control", {{"of", "matrix"}, {"decay", "polynomial"}, {"scale", 2}, {"min_count", 1}}) &&
                   add_regularizer_case("spectrum_control", {{"hidden_layer", 1}}, {.batch_statistic = true});

TEST(SpectrumControl, PrescribesItsDecays) {
  const at::Tensor exponential = exponential_decay(5, 3, 0.2, 0.5), polynomial = polynomial_decay(5, 3, 0.5);
  EXPECT_EQ(exponential[0].item<double>(), 3);
  EXPECT_NEAR(exponential[4].item<double>(), 3 * std::exp(-0.4), 1e-15);
  EXPECT_EQ(polynomial[0].item<double>(), 3);
  EXPECT_NEAR(polynomial[3].item<double>(), 1.5, 1e-15);
}

TEST(SpectrumControl, FindsTheSingularValues_WithTheirGradient) {
  for (const auto& shape : {std::vector<int64_t>{7, 4}, {3, 5}}) {
    const at::Tensor rows = drawn_numbers(shape, 1);
    EXPECT_TRUE(at::allclose(singular_values(rows), at::linalg_svdvals(rows), 1e-10, 1e-12));
    const auto term = [](const at::Tensor& x) {
      const at::Tensor values = singular_values(x);
      return (values - polynomial_decay(values.size(0), 2, 0.5)).square().sum();
    };
    expect_gradient_of_differences(term, rows, 1e-6);
  }
}

TEST(SpectrumControl, KnowsOrthonormalColumns) {
  const at::Tensor u = drawn_numbers({6, 3}, 2), q = std::get<0>(at::linalg_qr(u));
  EXPECT_NEAR(distance_to_orthonormal(q).item<double>(), 0, 1e-28);
  EXPECT_NEAR(distance_to_orthonormal(2 * q).item<double>(), 27, 1e-12);
  expect_gradient_of_differences(distance_to_orthonormal, u, 1e-6);
}

/// A small GPT-2 with its words in factors, in a training with the regulariser.
struct Factored {
  toy::TaskModel subject = toy::with_gpt2(toy::documents());
  FactorNames names{"transformer.wte.weight"};

  Factored() {
    const std::shared_ptr<const Delta> delta =
        delta_method("spectrum_factors").attach(*subject.model.family, Options(json{{"matrix", "embeddings"}}));
    subject.model.family = adapt(subject.model.family, {delta});
    add_initial_values({delta}, subject.model.weights, Key::root(2));
  }
  TrainResult trained(const json& given) const {
    const toy::Scratch scratch;
    TrainJob job = toy::job(subject.model, subject.task, {{"max_steps", 60}, {"batch_size", 8}, {"max_length", 24}}, scratch.path());
    job.tune.lr = job.tune.lr_embeddings = job.tune.lr_head = 5e-2;
    const RegularizerMethod& method = regularizer_method("spectrum_control");
    const Options options = method.options().resolve(given, "test");
    job.plugins.push_back(
        {"spectrum_control", {}, method.wants(options), {}, [&](const MethodInputs& in) { return method.make(in, options); }});
    return train(std::move(job));
  }
  double apart(const Weights& weights, const at::Tensor& target) const {
    return (std::get<0>(weights.at(names.sigma).abs().sort(0, true)) - target.to(at::kFloat)).norm().item<double>();
  }
  double bent(const Weights& weights) const {
    return (distance_to_orthonormal(weights.at(names.u)) + distance_to_orthonormal(weights.at(names.v))).item<double>();
  }
};

TEST(SpectrumControl, PullsTrainedFactorsToTheDecay_AndKeepsThemOrthonormal) {
  const Factored model;
  const at::Tensor sigma = model.subject.model.weights.at(model.names.sigma);
  const at::Tensor target = polynomial_decay(sigma.size(0), sigma.max().item<double>(), 0.2);
  const Weights with = model.trained({{"decay", "polynomial"}, {"power", 0.2}, {"gamma", 10}, {"orthogonality", 10}}).last_weights;
  const Weights without = model.trained({{"gamma", 0}, {"orthogonality", 0}}).last_weights;
  EXPECT_LT(model.apart(with, target), 0.3 * model.apart(without, target));
  EXPECT_LT(model.bent(with), 0.3 * model.bent(without));
}

TEST(SpectrumControl, NamesTheDeltaThatIsMissing) {
  const SmallModel model = small_gpt2();
  const RegularizerMethod& method = regularizer_method("spectrum_control");
  try {
    method.make({*model.family, model.weights, Key::root(1)}, method.options().resolve(json::object(), "test"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("has no factors of 'transformer.wte.weight'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::spectrum_control
