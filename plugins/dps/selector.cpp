#include "selector.h"

#include "bits.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/random.h"
#include "tsrun/linalg/marked.h"
#include "tsrun/tune/entry_masks.h"
#include "tsrun/tune/mixed_weight.h"

#include <cmath>
#include <functional>
#include <utility>

namespace tsrun::dps {
namespace {

/// Calls `act` for every parameter that a flat vector of the step trains.
void for_each_trained(const Step& step, const std::vector<ParameterInfo>& parameters,
                      const std::function<void(const ParameterInfo&, const at::Tensor& value, const at::Tensor& gradient)>& act) {
  for (const ParameterInfo& info : parameters) {
    const TrainedParameter trained = trained_parameter(step, info, "dps");
    if (trained.value.defined() && step.weights.at(info.name).requires_grad()) act(info, trained.value, trained.gradient);
  }
}

PluginState with_prefix_removed(const PluginState& state, const std::string& prefix) {
  PluginState own;
  for (const auto& [name, tensor] : state)
    if (name.starts_with(prefix)) own[name.substr(prefix.size())] = tensor;
  return own;
}

}  // namespace

DynamicSelection::DynamicSelection(const MethodInputs& inputs, std::vector<ParameterInfo> parameters, Settings settings, DrawKept draw)
    : settings_(settings), draw_(std::move(draw)), parameters_(std::move(parameters)), origin_(inputs.origin) {
  if (draw_) return;
  draw_ = [this](const Step& step, const ParameterInfo& parameter) {
    return draw_kept(parameter, settings_.frozen_share, !settings_.element_noise, step.key.split("noise").split(parameter.name));
  };
}

std::optional<Scope> DynamicSelection::scope(Step& step) {
  if (!settings_.begins_stage(step.number) || step.number == 0) return std::nullopt;
  const at::NoGradGuard no_grad;
  targets_.clear();
  masks_.clear();
  if (!settings_.gathers(step.number)) return select(step);
  return Scope();
}

Scope DynamicSelection::select(const Step& step) {
  if (sums_.empty()) user_error("dps: none of the masked parameters is trained");
  if (settings_.random_scores) draw_scores(step);
  masks_ = largest(std::exchange(sums_, {}), settings_);
  std::erase_if(bits_, [&](const auto& last) { return !masks_.contains(last.first); });  // frozen by another selector meanwhile
  Scope scope;
  scope.freeze = settings_.freeze;
  int64_t changed = 0, compared = 0;
  kept_ = elements_ = 0;
  for (const auto& [name, mask] : masks_) {
    scope.parameters[name].mask = mask;
    const at::Tensor bits = pack_bits(mask);
    kept_ += count_ones(bits);
    elements_ += mask.numel();
    note_change(name, bits, changed, compared);
    if (settings_.mix) targets_[name] = step.weights.at(name).detach().clone();
  }
  if (compared > 0) changes_.push_back(static_cast<double>(changed) / static_cast<double>(compared));
  if (!settings_.mix) masks_.clear();
  return scope;
}

void DynamicSelection::draw_scores(const Step& step) {
  for (auto& [name, sums] : sums_) {
    at::Tensor scores = at::empty(sums.squares.sizes(), at::kFloat);
    const auto size = static_cast<size_t>(scores.numel());
    fill_uniform(step.key.split("subnetwork").split(name), {scores.mutable_data_ptr<float>(), size});
    sums = {scores.to(sums.squares.device()), {}};
  }
}

void DynamicSelection::note_change(const std::string& name, const at::Tensor& bits, int64_t& changed, int64_t& compared) {
  at::Tensor& last = bits_[name];
  if (last.defined()) {
    changed += count_differences(last, bits);
    compared += masks_.at(name).numel();
  }
  last = bits;
}

void DynamicSelection::before_forward(Step& step, ForwardPass& pass) {
  if (!settings_.dropout) pass.options.training = false;
  if (settings_.mix) mix(step, pass);
  if (settings_.micro_batch_squares && !pass.extra && pass.number > 0) add_squares(step);
}

/// Stage I mixes with the weights before training under random masks, stage II with those at its beginning under the chosen ones.
void DynamicSelection::mix(const Step& step, ForwardPass& pass) {
  const bool first = settings_.gathers(step.number);
  if (first) draw_noise(step);
  const auto& kept = first ? noise_ : masks_;
  const double p = first || settings_.amplified ? settings_.frozen_share : 0;
  for (const auto& [name, noise] : kept) {
    const at::Tensor& target = first ? origin_.at(name) : targets_.at(name);
    pass.weights.set(name, mixed_weight(pass.weights.at(name), target, noise, p, settings_.rescale_gradient, !first));
  }
}

/// One draw a step, whatever the number of its passes: the summed gradient then belongs to one mask.
void DynamicSelection::draw_noise(const Step& step) {
  if (std::exchange(noise_step_, step.number) == step.number) return;
  noise_.clear();
  for (const ParameterInfo& info : parameters_) {
    const at::Tensor& weight = step.weights.at(info.name);
    if (weight.requires_grad()) noise_[info.name] = draw_(step, info).to(weight.device());
  }
}

void DynamicSelection::after_backward(Step& step) {
  if (!settings_.gathers(step.number)) return;
  const at::NoGradGuard no_grad;
  add_squares(step);
  gathered_.clear();
  for (const auto& [name, noise] : noise_) {
    const auto kind = settings_.stage_steps <= INT16_MAX ? at::kShort : at::kInt;
    at::Tensor& counts = sums_.at(name).counts;
    counts = counts.defined() ? counts.add_(noise) : noise.to(kind);
  }
}

/// Of the gradient so far, or of what the last micro-batch added to it.
void DynamicSelection::add_squares(const Step& step) {
  const at::NoGradGuard no_grad;
  if (!settings_.gathers(step.number)) return;
  for_each_trained(step, parameters_,
                   [&](const ParameterInfo& info, const at::Tensor&, const at::Tensor& gradient) { gather(info, gradient); });
}

void DynamicSelection::gather(const ParameterInfo& parameter, const at::Tensor& gradient) {
  at::Tensor& sums = sums_[parameter.name].squares;
  if (!settings_.micro_batch_squares) return add_square(sums, gradient);
  at::Tensor& before = gathered_[parameter.name];
  add_square(sums, before.defined() ? gradient - before : gradient);
  before = gradient.clone();
}

bool DynamicSelection::measures_update(const Step& step) const {
  return !settings_.gathers(step.number) && settings_.ends_stage(step.number, step.planned);
}

void DynamicSelection::before_update(Step& step) {
  if (!measures_update(step)) return;
  const at::NoGradGuard no_grad;
  for_each_trained(step, parameters_,
                   [&](const ParameterInfo& info, const at::Tensor& value, const at::Tensor&) { before_[info.name] = value.clone(); });
}

/// Masks of `update` and `state` are applied behind this event, so the length outside is that of the update they undo: none.
void DynamicSelection::after_update(Step& step) {
  if (!measures_update(step)) return;
  const at::NoGradGuard no_grad;
  double inside = 0, outside = 0;
  for_each_trained(step, parameters_, [&](const ParameterInfo& info, const at::Tensor& value, const at::Tensor&) {
    if (!bits_.contains(info.name)) return;  // not trained in stage I, so without a mask
    const at::Tensor before = before_.at(info.name).cpu().contiguous(), after = value.cpu().contiguous();
    const at::Tensor mask = unpack_bits(bits_.at(info.name), info.shape);
    const auto size = static_cast<size_t>(after.numel());
    const SquaredChange change =
        squared_change({before.const_data_ptr<float>(), size}, {after.const_data_ptr<float>(), size}, mask.const_data_ptr<bool>());
    inside += change.marked;
    outside += change.others;
  });
  before_.clear();
  inside_ = std::sqrt(inside);
  outside_ = settings_.freeze == Freeze::gradient ? std::sqrt(outside) : 0;
}

nlohmann::json DynamicSelection::report() const {
  const double share = elements_ > 0 ? static_cast<double>(kept_) / static_cast<double>(elements_) : 0;
  return {{"variant", settings_.mix ? "mix" : "dense"},
          {"stage_steps", settings_.stage_steps},
          {"masked_elements", elements_},
          {"kept_share", share},
          {"mask_changes", changes_},
          {"last_update", {{"inside", inside_}, {"outside", outside_}}}};
}

PluginState DynamicSelection::state() const {
  PluginState state;
  for (const auto& [name, sums] : sums_) {
    state["squares." + name] = sums.squares;
    if (sums.counts.defined()) state["counts." + name] = sums.counts;
  }
  for (const auto& [name, bits] : bits_) state["bits." + name] = bits;
  for (const auto& [name, target] : targets_) state["target." + name] = target;
  state["changes"] = at::tensor(changes_, at::kDouble);
  state["lengths"] = at::tensor({inside_, outside_}, at::kDouble);
  state["sizes"] = at::tensor({kept_, elements_}, at::kLong);
  return state;
}

void DynamicSelection::restore(const PluginState& state) {
  const auto placed = [this](const std::string& name, const at::Tensor& tensor) { return tensor.clone().to(origin_.at(name).device()); };
  for (const auto& [name, squares] : with_prefix_removed(state, "squares.")) sums_[name].squares = placed(name, squares);
  for (const auto& [name, counts] : with_prefix_removed(state, "counts.")) sums_[name].counts = placed(name, counts);
  for (const auto& [name, bits] : with_prefix_removed(state, "bits.")) bits_[name] = bits.to(at::kCPU);
  for (const auto& [name, target] : with_prefix_removed(state, "target.")) targets_[name] = placed(name, target);
  for (const ParameterInfo& info : parameters_)
    if (targets_.contains(info.name)) masks_[info.name] = unpack_bits(bits_.at(info.name), info.shape).to(targets_.at(info.name).device());
  const at::Tensor& changes = state.at("changes");
  changes_.assign(changes.const_data_ptr<double>(), changes.const_data_ptr<double>() + changes.numel());
  inside_ = state.at("lengths")[0].item<double>();
  outside_ = state.at("lengths")[1].item<double>();
  kept_ = state.at("sizes")[0].item<int64_t>();
  elements_ = state.at("sizes")[1].item<int64_t>();
}

}  // namespace tsrun::dps
