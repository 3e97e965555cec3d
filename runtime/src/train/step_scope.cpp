#include "train/step.h"
#include "tsrun/base/error.h"

#include <algorithm>

/// Scopes of a step, and the frozen prefix that they let it cache.
namespace tsrun::training {

void Stepper::check(const Scope& scope) const {
  const auto& groups = binding_.groups();
  const bool owned = std::any_of(groups.begin(), groups.end(), [](const ParameterGroup& group) { return group.owned; });
  if (!needs_whole_tensors_ && !owned) return;
  const auto refuse = [&](const std::string& what) {
    user_error("a scope with {} needs an optimiser with moments for every element: adamw or sgd; found {}", what,
               needs_whole_tensors_ ? "adafactor" : "a plugin that updates parameters itself");
  };
  if (scope.freeze == Freeze::state) refuse("freeze = \"state\"");
  if (scope.moments == Moments::carry) refuse("moments = \"carry\"");
  if (owned && scope.moments == Moments::drop) refuse("moments = \"drop\"");
  if (scope.compact && needs_whole_tensors_) refuse("compact = true");
}

void Stepper::keep_prefixes_in(PrefixStorage storage) {
  prefix_storage_ = std::move(storage);
  refresh_prefix();
}

/// A prefix of another depth is computed anew; under one depth the weights below have not moved.
void Stepper::refresh_prefix() {
  const Scope& scope = binding_.scope();
  const int layers = scope.cache_prefix ? scope.frozen_prefix(family_) : 0;
  if ((prefix_ ? prefix_->layers() : 0) == layers) return;
  prefix_.reset();
  if (layers == 0) return;
  if (carries_)
    user_error(
        "cache_prefix: the model carries its state from block to block, and cached layers keep none; expected it left out, or "
        "carry_state = false");
  if (masking_) user_error("cache_prefix: masked language modelling hides other tokens in every epoch; expected it left out");
  if (plugins_.wants().hidden_states)
    user_error("cache_prefix: a plugin looks at the hidden states of all layers, and those of cached ones are not computed again");
  prefix_.emplace(family_, split_, layers, precision_, device_, prefix_storage_);
}

/// Weights and hooks below the cached output have no effect on a pass.
void Stepper::refuse_changed_prefix(const Step& step, const ForwardPass& pass) const {
  if (!prefix_) return;
  if (plugins_.wants().whole_vocabulary && !(pass.options.at_linear.empty() && pass.options.at_site.empty()))
    user_error(
        "cache_prefix: a plugin that changes word embeddings adds hooks to a pass, which cached layers do not call; expected "
        "cache_prefix left out");
  if (!pass.options.attention_prefix.empty() || pass.options.prompt.defined())
    user_error("cache_prefix: a plugin puts vectors in front of rows, which cached layers do not see; expected cache_prefix left out");
  for (const ParameterInfo& info : family_.parameters()) {
    const bool below = info.part == Part::embeddings || (info.layer >= 0 && info.layer < prefix_->layers());
    if (below && !pass.weights.at(info.name).is_same(step.weights.at(info.name)))
      user_error("cache_prefix: a plugin changes '{}' in a pass, whose layer's output is cached; expected cache_prefix left out",
                 info.name);
  }
}

void Stepper::rescope(const Scope& scope) {
  check(scope);
  binding_.rescope(scope);
  optimizer_->spans_changed(scope.moments);
  for (size_t i = 0; i < binding_.groups().size(); ++i)
    if (const at::Tensor entries = binding_.forgotten_moments(i); entries.defined()) optimizer_->forget(i, entries);
  refresh_prefix();
}

/// Cached layers are computed in the epoch in which their caching begins.
LayerWork Stepper::work_in(int64_t epoch, const Passes& passes, size_t batches) {
  const int layers = prefix_ ? prefix_->layers() : 0;
  if (layers != caching_.layers) caching_ = {layers, epoch};
  const LayerWork once = layer_work(family_, binding_.weights(), epoch > caching_.since_epoch ? layers : 0);
  const auto times = [&](int64_t count) { return static_cast<double>(count) / static_cast<double>(std::max<size_t>(1, batches)); };
  return {once.forward * times(passes.forward), once.backward * times(passes.backward)};
}

}  // namespace tsrun::training
