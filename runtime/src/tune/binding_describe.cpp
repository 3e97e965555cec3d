#include "tsrun/tune/binding.h"

#include "tsrun/base/operators.h"
#include "tune/binding_plan.h"

#include <algorithm>

namespace tsrun {
namespace {

nlohmann::json describe_group(const ParameterGroup& group) {
  return {{"name", group.name}, {"numbers", group.value.numel()}, {"lr", group.lr}, {"weight_decay", group.weight_decay}};
}

nlohmann::json describe_mask(const tune::MaskUse& use) {
  return {{"positions", use.requested}, {"on_trained", use.on_trained}, {"on_frozen", use.on_frozen}, {"hold", use.hold}};
}

}  // namespace

nlohmann::json Binding::State::describe_scope() const {
  int64_t frozen_numbers = 0, masked_numbers = 0;
  for (const tune::BufferScope& buffer : scopes) frozen_numbers += buffer.frozen, masked_numbers += buffer.masked;
  bool acted = use.restricted || use.acted || (!use.masked && options.scope.restricts(*family));
  for (const auto& [buffer, entries] : chosen) masked_numbers += entries.left_out(), acted = acted || entries.acted();
  return {{"frozen", frozen_numbers},
          {"outside_masks", masked_numbers},
          {"frozen_layers", scope.frozen_layers},
          {"freeze", name_of(scope.compact ? Freeze::state : scope.freeze)},
          {"compact", scope.compact},
          {"changes", use.changes},
          {"acted", acted}};
}

int64_t Binding::trainable() const {
  int64_t count = 0;
  for (const ParameterGroup& group : state_->groups) count += group.value.numel();
  for (size_t b = 0; b < state_->buffers.size(); ++b)
    if (state_->bound != b) count -= state_->scopes[b].frozen;
  return count;
}

int64_t Binding::degrees_of_freedom() const {
  int64_t count = trainable();
  if (state_->bound) count -= (state_->options.ensemble - 1) * state_->options.subspace->dim();
  std::vector<int64_t> positions;
  for (size_t b = 0; b < state_->buffers.size(); ++b) {
    if (state_->bound == b) continue;
    std::vector<at::Tensor> parts;
    for (const tune::PinnedEntries& hold : state_->held)
      if (hold.buffer == b) parts.push_back(hold.positions);
    if (!parts.empty()) count -= std::get<0>(at::_unique(at::cat(parts))).numel();
    count -= state_->scopes[b].masked;
  }
  return count;
}

int64_t Binding::gradient_bytes() const {
  int64_t numbers = 0;
  const auto add = [&](const at::Tensor& gradient) { numbers += gradient.defined() ? gradient.numel() : 0; };
  for (const FlatBuffer& buffer : state_->buffers) add(buffer.gradient);
  if (state_->bound) add(state_->groups[*state_->bound].gradient);
  return static_cast<int64_t>(sizeof(float)) * numbers;
}

int64_t Binding::bytes_shipped() const {
  int64_t numbers = 0;
  for (size_t b = 0; b < state_->groups.size(); ++b)
    numbers += state_->bound == b ? state_->options.subspace->dim() : state_->groups[b].value.numel();
  int64_t bytes = 4 * numbers;
  for (const auto& [buffer, entries] : state_->chosen) bytes += 8 * entries.buffer().value.numel();  // their positions
  if (!state_->bound) return bytes;
  bytes += state_->options.subspace->bytes_shipped();
  for (const tune::MaskUse& use : state_->masks) bytes += 8 * use.on_trained;  // the update cannot be rebuilt without the positions
  return bytes;
}

nlohmann::json Binding::describe() const {
  nlohmann::json groups = nlohmann::json::array(), masks = nlohmann::json::object();
  for (const ParameterGroup& group : state_->groups) groups.push_back(describe_group(group));
  for (const tune::MaskUse& use : state_->masks) masks[use.name] = describe_mask(use);
  nlohmann::json result = {{"groups", groups},
                           {"frozen", state_->frozen},
                           {"masks", masks},
                           {"trainable", trainable()},
                           {"degrees_of_freedom", degrees_of_freedom()},
                           {"bytes_shipped", bytes_shipped()}};
  const Scope& fixed = state_->options.scope;
  const auto is_more = [](const auto& named) { return named.second.mask.defined() || named.second.rate != 1; };
  if (state_->use.changes > 0 || fixed.frozen_layers > 0 || std::any_of(fixed.parameters.begin(), fixed.parameters.end(), is_more))
    result["scope"] = state_->describe_scope();
  if (state_->bound)
    result["subspace"] = {{"dims", state_->options.subspace->dims()},
                          {"ensemble", state_->options.ensemble},
                          {"init_deviation", state_->options.init_deviation},
                          {"bytes", state_->options.subspace->bytes_shipped()}};
  if (!state_->options.lr_groups.empty()) result["subspace"]["lr"] = state_->options.lr_groups;
  return result;
}

}  // namespace tsrun
