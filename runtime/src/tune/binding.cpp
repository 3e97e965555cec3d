#include "tsrun/tune/binding.h"

#include "tsrun/base/operators.h"
#include "tune/binding_plan.h"

namespace tsrun {

ParameterGroup& Binding::State::z_group() { return groups[*bound]; }

at::Tensor Binding::State::mean_z() const {
  const at::Tensor& z = groups[*bound].value;
  return options.ensemble == 1 ? z : z.view({options.ensemble, -1}).mean(0);
}

void Binding::State::hold_positions(size_t buffer) {
  for (const tune::PinnedEntries& hold : held)
    if (hold.buffer == buffer) buffers[buffer].value.index_copy_(0, hold.positions, hold.values);
}

Binding::Binding(const Family& family, const Weights& origin, const TuneOptions& options, Key key, at::Device device)
    : state_(std::make_unique<State>(family, origin, options, key, device)) {
  compose();
}
Binding::~Binding() = default;
Binding::Binding(Binding&&) noexcept = default;

std::vector<ParameterGroup>& Binding::groups() { return state_->groups; }
const std::vector<ParameterGroup>& Binding::groups() const { return state_->groups; }
std::vector<double> Binding::lr_of_coordinates() const {
  const TuneOptions& options = state_->options;
  if (!options.subspace || !options.lr_groups.empty()) return options.lr_groups;
  return std::vector<double>(options.subspace->dims().size(), options.lr_subspace);
}
const Weights& Binding::weights() const { return state_->weights; }
const Weights& Binding::origin() const { return state_->origin; }
const Subspace* Binding::subspace() const { return state_->options.subspace.get(); }

void Binding::compose() const {
  State& s = *state_;
  for (const auto& [buffer, entries] : s.chosen) entries.scatter();
  if (!s.bound) return;
  const at::NoGradGuard no_grad;
  const at::Tensor z = s.mean_z();
  if (s.composed.defined() && at::equal(s.composed, z)) return;
  FlatBuffer& theta = s.buffers[*s.bound];
  if (s.device.is_cpu()) {
    s.options.subspace->compose(s.bound_origin, z, theta.value);
  } else {  // bases live on the host
    at::Tensor update = at::zeros({theta.layout.total()}, at::kFloat);
    s.options.subspace->expand(z.cpu(), update);
    at::add_out(theta.value, s.bound_origin, update.to(s.device));
  }
  s.hold_positions(*s.bound);
  s.undo_outside(*s.bound);
  s.composed = z.clone();
}

void Binding::gather_gradients() {
  State& s = *state_;
  const at::NoGradGuard no_grad;
  for (const tune::PinnedEntries& hold : s.held) s.buffers[hold.buffer].gradient.index_fill_(0, hold.positions, 0);
  for (size_t b = 0; b < s.buffers.size(); ++b) s.mask_gradient(b);
  if (!s.bound) return;
  at::Tensor& flat = s.buffers[*s.bound].gradient;
  const at::Tensor projected = s.options.subspace->project(s.mean_z().cpu(), flat.cpu()).to(s.device);
  // each copy enters the mean with weight 1/h
  s.z_group().gradient.view({s.options.ensemble, -1}).add_(projected, 1.0 / static_cast<double>(s.options.ensemble));
  flat.zero_();
}

void Binding::zero_gradients() {
  const at::NoGradGuard no_grad;
  for (ParameterGroup& group : state_->groups) group.gradient.zero_();  // gather_gradients has cleared that of composed weights
}

void Binding::after_update() {
  const at::NoGradGuard no_grad;
  for (size_t b = 0; b < state_->buffers.size(); ++b) {
    if (state_->bound == b) continue;
    state_->hold_positions(b);
    state_->undo_outside(b);
  }
  compose();
}

Weights Binding::snapshot() const {
  compose();
  const at::NoGradGuard no_grad;
  Weights copy;
  for (const std::string& name : state_->origin.names()) copy.set(name, state_->weights.at(name).detach().clone());
  return copy;
}

at::Tensor Binding::coordinates() const {
  const at::NoGradGuard no_grad;
  return state_->bound ? state_->mean_z().clone() : at::Tensor();
}

}  // namespace tsrun
