#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <cmath>

namespace tsrun::hra {
namespace {

const UpdateExchange exchange{.type = "HRA", .fields = {"r", "apply_GS", "bias"}, .endings = {".hra_u"}, .of_transposed = false};

class Hra final : public WeightUpdate {
 public:
  Hra(std::vector<Target> targets, const Options& options)
      : WeightUpdate("hra", std::move(targets), Side::activations), rank_(options.integer("r")), orthogonal_(options.flag("apply_GS")) {}

  std::vector<DeltaTensor> tensors() const override {
    const double bound = 1 / std::sqrt(static_cast<double>(starts_as_identity() ? rank_ / 2 : rank_));
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets())
      tensors.push_back({module.name + ".hra_u", {module.inputs, rank_}, module.layer, DeltaTensor::Init::uniform, bound});
    return tensors;
  }

  /// Equal pairs of reflections cancel; orthogonal ones cannot be equal.
  bool starts_as_identity() const override { return rank_ % 2 == 0 && !orthogonal_; }
  at::Tensor initial(const DeltaTensor& tensor, const Weights& /*origin*/, Key key) const override {
    if (!starts_as_identity()) return {};
    const int64_t pairs = rank_ / 2;
    at::Tensor half = at::empty({tensor.shape[0], pairs});
    const auto bound = static_cast<float>(tensor.scale);
    fill_uniform(key.split(tensor.name), {half.mutable_data_ptr<float>(), static_cast<size_t>(half.numel())}, 0, -bound, bound);
    return half.repeat_interleave(2, 1).contiguous();
  }

  /// H₁ ⋯ H_r − I = −U T Uᵀ with unit columns and an upper triangular T, whose inverse is that of Uᵀ U with half its diagonal (Schreiber
  /// and Van Loan, 1989; Joffrain et al., 2006): of rank r, and of no cost that grows with inputs × outputs but W U.
  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const LinearModule& module = target.module;
    const at::Tensor stored = weights.at(module.weight), w = module.transposed ? stored.t() : stored;
    const at::Tensor u = weights.at(module.name + ".hra_u");
    if (orthogonal_) {
      const at::Tensor q = std::get<0>(at::linalg_qr(u));
      return {q.t(), -2 * at::matmul(w, q)};
    }
    const at::Tensor unit = u / u.norm(2, {0}, /*keepdim=*/true);
    const at::Tensor inverse = at::triu(at::matmul(unit.t(), unit), 1) + 0.5 * at::eye(rank_, u.options());
    return {unit.t(), -at::linalg_solve_triangular(inverse, at::matmul(w, unit), /*upper=*/true, /*left=*/false)};
  }
  bool reads_weight() const override { return true; }

 private:
  int64_t rank_;
  bool orthogonal_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Layers whose inputs are reflected", "hra_only");
  return table.include({
      {.name = "r",
       .type = OptionType::integer,
       .fallback = 8,
       .doc = "Reflections of each layer; an even number starts as the identity.",
       .minimum = 1,
       .maximum = 4096},
      {.name = "apply_GS", .type = OptionType::boolean, .fallback = false, .doc = "Make the vectors orthogonal, by Gram and Schmidt."},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const std::vector<Target> targets = find_targets(family, options, "hra");
  for (const Target& target : targets)
    if (options.flag("apply_GS") && options.integer("r") > target.module.inputs)
      user_error("hra: {} vectors of {} numbers for {} cannot be orthogonal; expected r of at most {}", options.integer("r"),
                 target.module.inputs, target.module.name, target.module.inputs);
  return with_other_parameters(std::make_unique<Hra>(targets, options), family, options, targets, "hra");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type(); }

nlohmann::json Method::options_from_peft(const nlohmann::ordered_json& config) const { return exchange.options_from_peft(config); }

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  return exchange.to_peft(delta, options, model);
}

}  // namespace tsrun::hra
