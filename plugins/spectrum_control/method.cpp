#include "method.h"

#include "factors.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/word_statistics.h"

#include <algorithm>

namespace tsrun::spectrum_control {
namespace {

/// Σ_k (σ_k − target_k)², the largest first.
class Decay {
 public:
  explicit Decay(const Options& options)
      : exponential_(options.text("decay") == "exponential"),
        scale_(options.has("scale") ? options.number("scale") : 0),
        rate_(options.number("rate")),
        power_(options.number("power")) {}

  /// Without a scale of its own, `largest` is the first.
  void start_from(double largest) {
    if (scale_ == 0) scale_ = largest;
  }
  double scale() const { return scale_; }
  at::Tensor distance(const at::Tensor& values) const {
    const int64_t count = values.size(0);
    const at::Tensor target = exponential_ ? exponential_decay(count, scale_, rate_, power_) : polynomial_decay(count, scale_, power_);
    return (std::get<0>(values.sort(0, /*descending=*/true)) - target.to(values.options())).square().sum();
  }

 private:
  bool exponential_;
  double scale_, rate_, power_;
};

double largest_of(const at::Tensor& rows) {
  const at::NoGradGuard no_grad;
  return singular_values(rows.detach()).max().item<double>();
}

/// Of a matrix or hidden states as they are.
class OfRows final : public RowTerm {
 public:
  OfRows(const MethodInputs& inputs, const Options& options) : RowTerm(inputs, options, "spectrum_control"), decay_(options) {
    if (of_words()) decay_.start_from(largest_of(rows_of(inputs.origin)));
  }
  nlohmann::json report() const override {
    nlohmann::json report = RowTerm::report();
    if (of_words()) report["scale"] = decay_.scale();
    return report;
  }

 private:
  /// The scale of hidden states is that of their batch.
  at::Tensor term(const at::Tensor& rows, const Step& /*step*/) override {
    const at::Tensor values = singular_values(rows);
    Decay decay = decay_;
    decay.start_from(values.max().item<double>());
    return decay.distance(values);
  }

  Decay decay_;
};

/// Of the factors that the delta method spectrum_factors trains.
class OfFactors final : public Regularizer {
 public:
  OfFactors(const MethodInputs& inputs, const Options& options)
      : names_(word_matrix(inputs.family, options.text("matrix"), "spectrum_control")),
        gamma_(options.number("gamma")),
        orthogonality_(options.number("orthogonality")),
        decay_(options) {
    const at::Tensor* sigma = inputs.origin.find(names_.sigma);
    if (sigma == nullptr)
      user_error(
          "spectrum_control: the model has no factors of '{}'; expected the delta method spectrum_factors beside it, or of = \"matrix\"",
          word_matrix(inputs.family, options.text("matrix"), "spectrum_control"));
    decay_.start_from(sigma->abs().max().item<double>());
  }

  at::Tensor step_loss(Step& step) override {
    const at::Tensor &u = step.weights.at(names_.u), &sigma = step.weights.at(names_.sigma), &v = step.weights.at(names_.v);
    if (!u.requires_grad() && !sigma.requires_grad() && !v.requires_grad()) return {};
    const at::Tensor decay = decay_.distance(sigma.abs()), bent = distance_to_orthonormal(u) + distance_to_orthonormal(v);
    last_decay_ = decay.detach();
    last_bent_ = bent.detach();
    return decay * gamma_ + bent * orthogonality_;
  }
  nlohmann::json report() const override {
    nlohmann::json report = {{"gamma", gamma_}, {"orthogonality", orthogonality_}, {"scale", decay_.scale()}};
    if (last_decay_.defined()) {
      report["last_term"] = last_decay_.item<double>();
      report["last_distance_to_orthonormal"] = last_bent_.item<double>();
    } else {
      report["left_out"] = "the factors are frozen";
    }
    return report;
  }

 private:
  FactorNames names_;
  double gamma_, orthogonality_;
  Decay decay_;
  at::Tensor last_decay_, last_bent_;
};

}  // namespace

at::Tensor exponential_decay(int64_t count, double scale, double rate, double power) {
  return (at::arange(count, at::kDouble).pow(power) * -rate).exp() * scale;
}

at::Tensor polynomial_decay(int64_t count, double scale, double power) { return at::arange(1, count + 1, at::kDouble).pow(-power) * scale; }

at::Tensor distance_to_orthonormal(const at::Tensor& u) { return (at::mm(u.t(), u) - at::eye(u.size(1), u.options())).square().sum(); }

at::Tensor singular_values(const at::Tensor& rows) {
  const bool tall = rows.size(0) >= rows.size(1);
  const at::Tensor x = tall ? rows : rows.t();
  at::Tensor vectors;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor constant = x.detach();
    vectors = std::get<1>(at::linalg_eigh(at::mm(constant.t(), constant).to(at::kDouble))).flip({1}).to(x.scalar_type());
  }
  return at::mm(x, vectors).norm(2, {0});
}

OptionTable Method::options() const {
  return RowTerm::options()
      .add({.name = "of",
            .type = OptionType::choice,
            .fallback = "factors",
            .doc = "singular values that are trained (by the delta method spectrum_factors, whose U and V are kept orthonormal), or those "
                   "of the matrix as it is",
            .choices = {"factors", "matrix"}})
      .add({.name = "decay",
            .type = OptionType::choice,
            .fallback = "exponential",
            .doc = "scale exp(-rate (k - 1)^power), or scale k^-power",
            .choices = {"exponential", "polynomial"}})
      .add({.name = "scale",
            .type = OptionType::number,
            .doc = "the largest; left out: the largest before training (of hidden states: of the batch)",
            .minimum = 1e-30})
      .add({.name = "rate", .type = OptionType::number, .fallback = 0.05, .doc = "of the exponential decay", .minimum = 0})
      .add({.name = "power",
            .type = OptionType::number,
            .fallback = 0.5,
            .doc = "of k; 0 with a rate of 0: all singular values alike",
            .minimum = 0})
      .add({.name = "orthogonality",
            .type = OptionType::number,
            .fallback = 1.0,
            .doc = "weight of the distances of U and V to orthonormal columns",
            .minimum = 0});
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  const bool rows = options.text("of") == "matrix" || options.has("hidden_layer");
  if (rows) return std::make_unique<OfRows>(inputs, options);
  if (options.integer("min_count") > 0 || options.has("max_count"))
    user_error("spectrum_control: min_count and max_count choose words of a matrix, and U has them all; expected of = \"matrix\"");
  return std::make_unique<OfFactors>(inputs, options);
}

}  // namespace tsrun::spectrum_control
