#include "factors.h"

#include "tsrun/base/operators.h"
#include "tsrun/tune/word_statistics.h"

#include <algorithm>

namespace tsrun::spectrum_control {
namespace {

const ParameterInfo& info_named(const Family& family, const std::string& name) {
  const auto& all = family.parameters();
  return *std::find_if(all.begin(), all.end(), [&](const ParameterInfo& info) { return info.name == name; });
}

class Factors final : public Delta {
 public:
  Factors(std::string pattern, const ParameterInfo& matrix)
      : pattern_(std::move(pattern)), matrix_(matrix.name), names_(matrix.name), words_(matrix.shape[0]), width_(matrix.shape[1]) {}

  std::vector<DeltaTensor> tensors() const override {
    const int64_t rank = std::min(words_, width_);
    return {
        {.name = names_.u, .shape = {words_, rank}}, {.name = names_.sigma, .shape = {rank}}, {.name = names_.v, .shape = {width_, rank}}};
  }
  std::vector<DeltaMatch> matches() const override {
    const int64_t rank = std::min(words_, width_);
    return {{pattern_, matrix_, rank * (words_ + width_ + 1)}};
  }
  at::Tensor initial(const DeltaTensor& tensor, const Weights& origin, Key /*key*/) const override {
    const at::NoGradGuard no_grad;
    const auto [u, sigma, v] = at::linalg_svd(origin.at(matrix_).detach().to(at::kDouble), /*full_matrices=*/false);
    const at::Tensor& made = tensor.name == names_.u ? u : tensor.name == names_.sigma ? sigma : v;
    return (tensor.name == names_.v ? made.t() : made).to(at::kFloat).contiguous();
  }
  void override_weights(const Weights& weights, Weights& seen) const override { seen.set(matrix_, product(weights)); }
  std::optional<Weights> merge(const Weights& weights) const override {
    Weights merged = weights;
    merged.set(matrix_, product(weights));
    return merged;
  }

 private:
  at::Tensor product(const Weights& weights) const {
    return at::mm(weights.at(names_.u) * weights.at(names_.sigma), weights.at(names_.v).t());
  }

  std::string pattern_, matrix_;
  FactorNames names_;
  int64_t words_, width_;
};

}  // namespace

FactorNames::FactorNames(const std::string& matrix)
    : u(matrix.substr(0, matrix.rfind('.')) + ".spectrum_U"),
      sigma(matrix.substr(0, matrix.rfind('.')) + ".spectrum_S"),
      v(matrix.substr(0, matrix.rfind('.')) + ".spectrum_V") {}

OptionTable FactorsMethod::options() const { return {word_matrix_option()}; }

std::unique_ptr<Delta> FactorsMethod::attach(const Family& family, const Options& options) const {
  const std::string choice = options.text("matrix");
  return std::make_unique<Factors>(choice, info_named(family, word_matrix(family, choice, "spectrum_factors")));
}

}  // namespace tsrun::spectrum_control
