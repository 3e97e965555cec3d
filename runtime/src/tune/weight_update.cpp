#include "tsrun/tune/weight_update.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/kernels.h"

#include <c10/util/accumulate.h>

#include <algorithm>
#include <map>

namespace tsrun {
namespace {

/// ΔW as the weight stands.
at::Tensor as_stored(const LinearModule& module, const at::Tensor& update) { return module.transposed ? update.t() : update; }

/// Rows of ΔW that a pass keeps, as a diagonal factor.
at::Tensor kept_rows(int64_t rows, const UpdateDropout& dropout, Key key) {
  at::Tensor kept = at::empty({rows});
  fill_uniform(key, {kept.mutable_data_ptr<float>(), static_cast<size_t>(rows)});
  kept = (kept > dropout.rows).to(at::kFloat);
  return dropout.rescaled_rows ? kept / kept.mean().clamp_min(1 / static_cast<double>(rows)) : kept;
}

/// One module's update in one forward pass.
struct InstalledUpdate {
  UpdateFactors factors;
  double dropout = 0;
  Key key = Key::root(0);

  at::Tensor operator()(const at::Tensor& x) const {
    return through_update(factors, tsrun::dropout(x.to(factors.front().scalar_type()), dropout, key));
  }
};

}  // namespace

at::Tensor update_of(const UpdateFactors& factors) {
  at::Tensor product = factors.front().dim() == 1 ? at::diag(factors.front()) : factors.front();
  for (size_t i = 1; i < factors.size(); ++i)
    product = factors[i].dim() == 1 ? product * factors[i].unsqueeze(1) : at::matmul(factors[i], product);
  return product;
}

at::Tensor through_update(const UpdateFactors& factors, const at::Tensor& x) {
  at::Tensor y = x;
  for (const at::Tensor& factor : factors) y = factor.dim() == 1 ? y * factor : at::linear(y, factor);
  return y;
}

at::Tensor WeightUpdate::updated(const Target& target, const Weights& weights) const {
  return weights.at(target.module.weight) + as_stored(target.module, update_of(factors(target, weights)));
}

std::vector<DeltaMatch> WeightUpdate::matches() const {
  std::vector<DeltaMatch> of_modules, others;
  for (const Target& target : targets_) of_modules.push_back({target.pattern, target.module.name, 0});
  for (const DeltaTensor& tensor : tensors()) {
    const auto owner =
        std::find_if(of_modules.begin(), of_modules.end(), [&](const auto& match) { return tensor.name.starts_with(match.module + "."); });
    if (owner == of_modules.end())
      others.push_back({tensor.name, tensor.name, c10::multiply_integers(tensor.shape)});
    else
      owner->numbers += c10::multiply_integers(tensor.shape);
  }
  of_modules.insert(of_modules.end(), others.begin(), others.end());
  return of_modules;
}

std::vector<ModuleChange> WeightUpdate::changes() const {
  std::vector<ModuleChange> changes;
  for (const Target& target : targets_)
    changes.push_back({target.module.name, acts_on_weight(target) ? ModuleChange::Place::weight : ModuleChange::Place::output,
                       reads_weight() ? ModuleChange::How::of_weight : ModuleChange::How::adds});
  return changes;
}

void WeightUpdate::override_weights(const Weights& weights, Weights& seen) const {
  for (const Target& target : targets_)
    if (acts_on_weight(target)) seen.set(target.module.weight, updated(target, weights));
}

void WeightUpdate::install(const Weights& weights, ForwardOptions& forward) const {
  auto installed = std::make_shared<std::map<std::string, InstalledUpdate>>();
  for (const Target& target : targets_) {
    const Key key = forward.dropout.split(method_).split(target.module.name);
    const bool left_out = forward.training && dropout_.modules > 0 && Stream(key.split("module")).uniform() < dropout_.modules;
    if (left_out || acts_on_weight(target)) continue;
    InstalledUpdate update{forward.training ? training_factors(target, weights, key) : factors(target, weights),
                           forward.training ? dropout_.inputs : 0, key};
    if (forward.training && dropout_.rows > 0)
      update.factors.push_back(kept_rows(target.module.outputs, dropout_, key.split("rows")).to(update.factors.front().device()));
    installed->emplace(target.module.name, std::move(update));
  }
  if (installed->empty()) return;
  forward.at_linear.push_back([installed](const LinearCall& call, const at::Tensor& y) {
    const auto found = installed->find(call.module);
    return found == installed->end() ? y : y + found->second(call.input);
  });
}

std::optional<Weights> WeightUpdate::merge(const Weights& weights) const {
  if (!why_not_merged().empty()) return std::nullopt;
  Weights merged = weights;
  for (const Target& target : targets_) merged.set(target.module.weight, updated(target, weights).contiguous());
  return merged;
}

std::string WeightUpdate::why_not_merged() const {
  for (const Target& target : targets_)
    if (target.module.shared) return target.module.name + " has its weight in common with another module";
  return {};
}

}  // namespace tsrun
