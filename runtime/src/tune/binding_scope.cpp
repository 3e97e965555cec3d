#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/linalg/marked.h"
#include "tsrun/tune/binding.h"
#include "tune/binding_plan.h"
#include "tune/spans.h"

#include <algorithm>
#include <span>
#include <utility>

/// Scopes of a binding.
namespace tsrun {

namespace tune {

void append(std::vector<Span>& spans, Span span) {
  if (!spans.empty() && spans.back().end == span.begin && spans.back().rate == span.rate && spans.back().decay == 0 && span.decay == 0) {
    spans.back().end = span.end;
  } else {
    spans.push_back(span);
  }
}

}  // namespace tune

/// Frozen parameters are constants; their leaves wait for a scope that trains them again.
void Binding::State::apply_entry(size_t b, const Slice& slice, const Scope::Entry& entry) {
  tune::BufferScope& target = scopes[b];
  const at::Tensor& leaf = leaves[b].at(slice.name);
  weights.set(slice.name, entry.trained ? leaf : leaf.detach());
  if (!entry.trained) {
    buffers[b].gradient.narrow(0, slice.offset, slice.size).zero_();
    target.frozen += slice.size;
    return;
  }
  if (bound != b) tune::append(*groups[b].spans, {slice.offset, slice.offset + slice.size, entry.rate, decay_of(slice)});
  if (!entry.mask.defined()) return;
  const at::Tensor outside = outside_of(b, slice, entry.mask);
  const int64_t count = outside.sum().item<int64_t>();
  if (count == 0) return;
  if (!target.outside.defined()) target.outside = at::zeros({buffers[b].layout.total()}, at::TensorOptions(device).dtype(at::kBool));
  target.outside.narrow(0, slice.offset, slice.size).copy_(outside);
  target.masked += count;
}

/// bool [slice.size]
at::Tensor Binding::State::outside_of(size_t b, const Slice& slice, const at::Tensor& mask) const {
  const at::Tensor outside = mask.to(device).logical_not().reshape({-1});
  const auto entries = chosen.find(b);
  if (entries == chosen.end()) return outside;
  const auto& slices = buffers[b].layout.slices();
  const auto at = std::find_if(slices.begin(), slices.end(), [&](const Slice& other) { return other.offset == slice.offset; });
  return outside.index_select(0, entries->second.positions(static_cast<size_t>(at - slices.begin())));
}

void Binding::State::apply(size_t b) {
  const tune::BufferScope before = std::exchange(scopes[b], {});
  if (bound != b) groups[b].spans.emplace();
  for (const Slice& slice : buffers[b].layout.slices()) {
    const Scope::Entry entry = scope.entry(parameter(*family, slice.name));
    if (bound == b && (!entry.trained || entry.rate != 1))
      user_error("the scope {} '{}', which moves in a subspace with others; expected a mask, or a subspace without it",
                 entry.trained ? "slows" : "freezes", slice.name);
    apply_entry(b, slice, entry);
  }
  if (scopes[b].masked > 0 && scope.freeze != Freeze::gradient) scopes[b].kept = buffers[b].value.clone();
  use.masked = use.masked || scopes[b].masked > 0;
  forget(b, before);
}

void Binding::State::apply(const Scope& in_force) {
  scope = in_force;
  for (size_t b = 0; b < buffers.size(); ++b) apply(b);
}

/// Moments of masks that changed; those of frozen parameters are the optimiser's to forget.
void Binding::State::forget(size_t b, const tune::BufferScope& before) {
  tune::BufferScope& now = scopes[b];
  if (scope.moments == Moments::keep || bound == b || (!before.outside.defined() && !now.outside.defined())) return;
  const at::Tensor none = at::zeros({buffers[b].layout.total()}, at::TensorOptions(device).dtype(at::kBool));
  const at::Tensor& left = before.outside.defined() ? before.outside : none;
  const at::Tensor& leaves_now = now.outside.defined() ? now.outside : none;
  if (scope.moments == Moments::carry) {
    now.forgotten = left.logical_or(leaves_now);
    return;
  }
  now.forgotten = none.clone();
  for (const Slice& slice : buffers[b].layout.slices()) {
    const auto part = [&](const at::Tensor& mask) { return mask.narrow(0, slice.offset, slice.size); };
    if (!at::equal(part(left), part(leaves_now))) part(now.forgotten).fill_(true);
  }
}

void Binding::State::mask_gradient(size_t b) {
  const tune::BufferScope& target = scopes[b];
  if (target.masked == 0) return;
  at::Tensor& gradient = buffers[b].gradient;
  if (gradient.is_cpu()) {
    const std::span numbers(gradient.mutable_data_ptr<float>(), static_cast<size_t>(gradient.numel()));
    use.acted = zero_marked(numbers, target.outside.const_data_ptr<bool>()) || use.acted;
    return;
  }
  if (!use.acted) use.acted = gradient.masked_select(target.outside).any().item<bool>();
  gradient.masked_fill_(target.outside, 0);
}

void Binding::State::undo_outside(size_t b) {
  const tune::BufferScope& target = scopes[b];
  if (target.kept.defined()) buffers[b].value.copy_(at::where(target.outside, target.kept, buffers[b].value));
}

void Binding::rescope(const Scope& scope) {
  State& s = *state_;
  const at::NoGradGuard no_grad;
  scope.check(*s.family, "scope");
  if (scope.compact && !s.options.scope.compact)
    user_error("a compact scope that changes during the training; expected one that is chosen before it (ts.select)");
  s.apply(intersection(s.options.scope, scope));
  for (const FlatBuffer& buffer : s.buffers) {
    for (const Slice& slice : buffer.layout.slices()) {
      const Scope::Entry entry = scope.entry(parameter(*s.family, slice.name));
      s.use.restricted = s.use.restricted || !entry.trained || entry.rate != 1;
    }
  }
  ++s.use.changes;
}

at::Tensor Binding::still_moments(size_t i) const {
  const State& s = *state_;
  if (s.scope.freeze != Freeze::state || s.bound == i) return {};
  return s.scopes[i].outside;
}

const Scope& Binding::scope() const { return state_->scope; }

at::Tensor Binding::forgotten_moments(size_t i) const { return state_->scopes[i].forgotten; }

const at::Tensor& Binding::State::origin_of(size_t b) const {
  if (origins[b].defined()) return origins[b];
  const auto entries = chosen.find(b);
  origins[b] = entries == chosen.end() ? flatten(origin, buffers[b].layout).to(device) : entries->second.gather(origin);
  return origins[b];
}

std::vector<Block> Binding::blocks(double factor, bool with_origin) const {
  const State& s = *state_;
  const at::NoGradGuard no_grad;
  std::vector<Block> blocks;
  for (size_t b = 0; b < s.buffers.size(); ++b) {
    const FlatBuffer& buffer = s.buffers[b];
    const ParameterGroup& group = s.groups[b];
    const auto spans = group.spans.value_or(std::vector<Span>{{0, group.value.numel(), 1, group.weight_decay}});
    const at::Tensor origin = with_origin ? s.origin_of(b) : at::Tensor();
    if (s.bound == b) {
      blocks.push_back({"composed", &buffer.layout, buffer.value, buffer.gradient, origin, 0, {}, true});
      const at::Tensor start = with_origin ? at::zeros_like(group.value) : at::Tensor();
      blocks.push_back({group.name, &group.layout, group.value, group.gradient, start, group.lr * factor, spans});
      continue;
    }
    blocks.push_back({buffer.name, &buffer.layout, buffer.value, buffer.gradient, origin, group.lr * factor, spans});
  }
  return blocks;
}

ScopeUse Binding::scope_use() const {
  ScopeUse use = state_->use;
  for (const auto& [buffer, entries] : state_->chosen) use.acted = use.acted || entries.acted();
  return use;
}
void Binding::restore_scope_use(const ScopeUse& use) { state_->use = use; }

}  // namespace tsrun
