#include "tsrun/tune/merge.h"

#include "tsrun/base/error.h"

#include <ATen/core/grad_mode.h>

namespace tsrun {

Merged::Merged(const std::vector<std::shared_ptr<const Delta>>& deltas, Weights weights) : before_(std::move(weights)), merged_(before_) {
  const at::NoGradGuard no_grad;
  for (const auto& delta : deltas) {
    auto merged = delta->merge(merged_);
    if (!merged) user_error("the delta cannot be merged: {}", delta->why_not_merged());
    merged_ = std::move(*merged);
  }
}

std::vector<std::string> Merged::changed() const {
  std::vector<std::string> names;
  for (const std::string& name : before_.names())
    if (!before_.at(name).is_same(merged_.at(name))) names.push_back(name);
  return names;
}

Weights rounded_to_bfloat16(const Weights& weights) {
  Weights rounded;
  for (const std::string& name : weights.names()) rounded.set(name, weights.at(name).to(at::kBFloat16).to(at::kFloat));
  return rounded;
}

}  // namespace tsrun
