#include "train/few_unknowns_parts.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/few_unknowns.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun {
namespace training {
namespace {

/// Constants of n unknowns and λ candidates, as Hansen 2016, table 1 gives them; of the weights the positive ones.
struct CmaConstants {
  int64_t parents = 0;
  at::Tensor weights;  ///< [parents], sum 1
  double mass = 0;     ///< μ_eff
  double c_sigma = 0, d_sigma = 0, c_c = 0, c_1 = 0, c_mu = 0;
  double expected = 0;  ///< E‖N(0, I)‖

  CmaConstants(double n, double candidates) : parents(static_cast<int64_t>(candidates / 2)) {
    const at::Tensor raw = std::log((candidates + 1) / 2) - at::arange(1, parents + 1, at::kDouble).log();
    weights = raw / raw.sum();
    mass = 1 / weights.square().sum().item<double>();
    c_sigma = (mass + 2) / (n + mass + 5);
    d_sigma = 1 + 2 * std::max(0.0, std::sqrt((mass - 1) / (n + 1)) - 1) + c_sigma;
    c_c = (4 + mass / n) / (n + 4 + 2 * mass / n);
    c_1 = 2 / ((n + 1.3) * (n + 1.3) + mass);
    c_mu = std::min(1 - c_1, 2 * (mass - 2 + 1 / mass) / ((n + 2) * (n + 2) + mass));
    expected = std::sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
  }
};

at::Tensor normal_numbers(Key key, int64_t rows, int64_t n) {
  at::Tensor numbers = at::empty({rows, n}, at::kDouble);
  double* out = numbers.mutable_data_ptr<double>();
  for (int64_t row = 0; row < rows; ++row) {
    Stream draw(key.split(static_cast<uint64_t>(row)));
    for (int64_t i = 0; i < n; ++i) *out++ = draw.normal();
  }
  return numbers;
}

/// Numbers of the candidates from the lowest loss up; those without a finite one last.
at::Tensor ranked(const std::vector<double>& losses) {
  std::vector<int64_t> order(losses.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto key = [&](int64_t i) { return std::isfinite(losses[static_cast<size_t>(i)]) ? losses[static_cast<size_t>(i)] : INFINITY; };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return key(a) < key(b); });
  return at::tensor(order, at::kLong);
}

class CmaEs final : public FewUnknowns {
 public:
  explicit CmaEs(const CmaEsOptions& options) : options_(options), sigma_(options.sigma) {
    if (options.population == 1)
      user_error("optim = \"cma_es\": option 'population' is 1, expected 0 or at least 2, whose better half is kept");
  }

  Made step(LossAt& loss, at::Tensor& z, Key key) override {
    const int64_t n = z.numel(), candidates = population(n);
    if (!covariance_.defined()) begin(n);
    const CmaConstants c(static_cast<double>(n), static_cast<double>(candidates));
    const auto [eigenvalues, axes] = at::linalg_eigh(covariance_);
    const at::Tensor scales = eigenvalues.clamp_min(1e-300).sqrt();
    const at::Tensor ways = (normal_numbers(key, candidates, n) * scales).mm(axes.t());  // rows y ~ N(0, C)
    std::vector<double> losses;
    for (int64_t i = 0; i < candidates; ++i) losses.push_back(loss.value(z + sigma_ * ways.select(0, i)));
    const at::Tensor best = ranked(losses).narrow(0, 0, c.parents);
    const Made made{inner_product(c.weights, at::tensor(losses, at::kDouble).index_select(0, best)), 0};
    if (!std::isfinite(made.loss)) return made;
    const at::Tensor chosen = ways.index_select(0, best), mean = c.weights.unsqueeze(0).mm(chosen).squeeze(0);
    z += sigma_ * mean;
    adapt(c, chosen, mean, axes.mv(axes.t().mv(mean) / scales));
    return made;
  }

  std::map<std::string, at::Tensor> state() const override {
    if (!covariance_.defined()) return {};
    return {{"sigma", single(sigma_)},
            {"generations", single(generations_)},
            {"covariance", covariance_},
            {"path", path_},
            {"path_of_sigma", path_of_sigma_}};
  }
  void restore(const std::map<std::string, at::Tensor>& state) override {
    covariance_ = saved(state, "covariance");
    if (!covariance_.defined()) return;
    path_ = saved(state, "path");
    path_of_sigma_ = saved(state, "path_of_sigma");
    sigma_ = saved_number(state, "sigma");
    generations_ = saved_number(state, "generations");
  }

 private:
  int64_t population(int64_t n) const {
    return options_.population > 0 ? options_.population : 4 + static_cast<int64_t>(3 * std::log(static_cast<double>(n)));
  }

  void begin(int64_t n) {
    covariance_ = at::eye(n, at::kDouble);
    path_ = at::zeros({n}, at::kDouble);
    path_of_sigma_ = at::zeros({n}, at::kDouble);
  }

  /// Paths, covariance and σ, by the parents' ways from the mean, their weighted mean, and that mean in the metric of the covariance.
  void adapt(const CmaConstants& c, const at::Tensor& chosen, const at::Tensor& mean, const at::Tensor& whitened) {
    const auto n = static_cast<double>(mean.numel());
    ++generations_;
    path_of_sigma_ = (1 - c.c_sigma) * path_of_sigma_ + std::sqrt(c.c_sigma * (2 - c.c_sigma) * c.mass) * whitened;
    const double length = length_of(path_of_sigma_);
    const double settled = std::sqrt(1 - std::pow(1 - c.c_sigma, 2 * generations_));
    const bool short_enough = length / settled < (1.4 + 2 / (n + 1)) * c.expected;  // h_σ
    path_ = (1 - c.c_c) * path_;
    if (short_enough) path_ += std::sqrt(c.c_c * (2 - c.c_c) * c.mass) * mean;
    const double lost = short_enough ? 0 : c.c_1 * c.c_c * (2 - c.c_c);
    covariance_ = (1 - c.c_1 - c.c_mu + lost) * covariance_ + c.c_1 * at::outer(path_, path_) +
                  c.c_mu * chosen.t().mm(c.weights.unsqueeze(1) * chosen);
    covariance_ = (covariance_ + covariance_.t()) / 2;
    sigma_ *= std::exp(c.c_sigma / c.d_sigma * (length / c.expected - 1));
  }

  CmaEsOptions options_;
  double sigma_ = 0, generations_ = 0;
  at::Tensor covariance_, path_, path_of_sigma_;  ///< undefined before the first step
};

}  // namespace

}  // namespace training

std::unique_ptr<FewUnknowns> make_cma_es(const CmaEsOptions& options) { return std::make_unique<training::CmaEs>(options); }

}  // namespace tsrun
