#include "tsrun/base/error.h"
#include "tsrun/tune/binding.h"
#include "tune/binding_plan.h"
#include "tune/spans.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

/// How a binding carries out a scope.
namespace tsrun {

void append(std::vector<Span>& spans, Span span) {
  if (!spans.empty() && spans.back().end == span.begin && spans.back().rate == span.rate && spans.back().decay == 0 && span.decay == 0) {
    spans.back().end = span.end;
  } else {
    spans.push_back(span);
  }
}

void Binding::State::apply_entry(size_t b, const Slice& slice, const Scope::Entry& entry) {
  FlatBuffer& buffer = buffers[b];
  BufferScope& use = scopes[b];
  if (!entry.trained) {
    weights.set(slice.name, buffer.value.narrow(0, slice.offset, slice.size).view(slice.shape));
    buffer.gradient.narrow(0, slice.offset, slice.size).zero_();
    use.frozen += slice.size;
    return;
  }
  weights.set(slice.name, leaves[b].at(slice.name));
  if (bound != b) append(*groups[b].spans, {slice.offset, slice.offset + slice.size, entry.rate, decay_of(slice)});
  if (!entry.mask.defined()) return;
  if (!use.outside.defined()) use.outside = at::zeros({buffer.layout.total()}, at::TensorOptions(device).dtype(at::kBool));
  const at::Tensor outside = entry.mask.to(device).logical_not().reshape({-1});
  use.outside.narrow(0, slice.offset, slice.size).copy_(outside);
  use.masked += outside.sum().item<int64_t>();
}

void Binding::State::rescope(size_t b) {
  scopes[b] = {};
  if (bound != b) groups[b].spans.emplace();
  for (const Slice& slice : buffers[b].layout.slices()) {
    const Scope::Entry entry = scope->entry(parameter(*family, slice.name));
    if (bound == b && (!entry.trained || entry.rate != 1))
      user_error("the scope {} '{}', which moves in a subspace with others; expected a mask, or a subspace without it",
                 entry.trained ? "slows" : "freezes", slice.name);
    apply_entry(b, slice, entry);
    restricted = restricted || !entry.trained || entry.rate != 1;
  }
  if (scopes[b].masked > 0 && scope->freeze != Freeze::gradient) scopes[b].kept = buffers[b].value.clone();
  masked = masked || scopes[b].masked > 0;
}

/// `acted` is looked for until it is found: a copy of the masked entries each time.
void Binding::State::mask_gradient(size_t b) {
  BufferScope& use = scopes[b];
  if (use.masked == 0) return;
  at::Tensor& gradient = buffers[b].gradient;
  if (!acted) acted = gradient.masked_select(use.outside).any().item<bool>();
  gradient.masked_fill_(use.outside, 0);
}

void Binding::State::undo_outside(size_t b) {
  const BufferScope& use = scopes[b];
  if (use.kept.defined()) buffers[b].value.copy_(at::where(use.outside, use.kept, buffers[b].value));
}

void Binding::rescope(const Scope& scope) {
  State& s = *state_;
  const at::NoGradGuard no_grad;
  scope.check(*s.family, "scope");
  s.scope = scope;
  for (size_t b = 0; b < s.buffers.size(); ++b) s.rescope(b);
  ++s.rescopes;
}

const std::optional<Scope>& Binding::scope() const { return state_->scope; }

at::Tensor Binding::still_moments(size_t i) const {
  const State& s = *state_;
  if (!s.scope || s.scope->freeze != Freeze::state || s.bound == i) return {};
  return s.scopes[i].masked > 0 ? s.scopes[i].outside : at::Tensor();
}

std::vector<Block> Binding::blocks(double factor, bool with_origin) const {
  const State& s = *state_;
  const at::NoGradGuard no_grad;
  std::vector<Block> blocks;
  for (size_t b = 0; b < s.buffers.size(); ++b) {
    const FlatBuffer& buffer = s.buffers[b];
    const ParameterGroup& group = s.groups[b];
    if (with_origin && !s.origins[b].defined()) s.origins[b] = flatten(s.origin, buffer.layout).to(s.device);
    if (s.bound == b) {
      blocks.push_back({"composed", &buffer.layout, buffer.value, buffer.gradient, s.origins[b], 0, {}, true});
      const at::Tensor start = with_origin ? at::zeros_like(group.value) : at::Tensor();
      blocks.push_back({group.name, &group.layout, group.value, group.gradient, start, group.lr * factor, {{0, group.value.numel()}}});
      continue;
    }
    const auto spans = group.spans.value_or(std::vector<Span>{{0, group.value.numel(), 1, group.weight_decay}});
    blocks.push_back({buffer.name, &buffer.layout, buffer.value, buffer.gradient, s.origins[b], group.lr * factor, spans});
  }
  return blocks;
}

ScopeUse Binding::scope_use() const { return {state_->rescopes, state_->restricted, state_->masked, state_->acted}; }
void Binding::restore_scope_use(const ScopeUse& use) {
  state_->rescopes = use.changes, state_->restricted = use.restricted, state_->masked = use.masked, state_->acted = use.acted;
}

}  // namespace tsrun
