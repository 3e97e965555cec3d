#include "train/optimizer_parts.h"

#include "tsrun/base/error.h"

#include <ATen/core/Tensor.h>

namespace tsrun {
namespace {

DecaySegment segment_of(const ParameterGroup& group, int64_t begin, int64_t end) {
  return {group.value.narrow(0, begin, end - begin), group.gradient.narrow(0, begin, end - begin), begin, end - begin};
}

}  // namespace

DecaySegments cut_by_decay(const ParameterGroup& group) {
  DecaySegments segments;
  const int64_t total = group.value.numel();
  if (group.weight_decay == 0 || group.decayed.empty()) {
    auto& all = group.weight_decay == 0 ? segments.plain : segments.decayed;
    if (total > 0) all.push_back(segment_of(group, 0, total));
    return segments;
  }
  int64_t done = 0;
  for (const auto& [begin, end] : group.decayed) {
    if (begin < done || end < begin || end > total) {
      internal_error("optimizer: group '{}' has a decayed range [{}, {}) that is out of order or beyond {}", group.name, begin, end, total);
    }
    if (begin > done) segments.plain.push_back(segment_of(group, done, begin));
    if (end > begin) segments.decayed.push_back(segment_of(group, begin, end));
    done = end;
  }
  if (done < total) segments.plain.push_back(segment_of(group, done, total));
  return segments;
}

void restore_tensor(const std::map<std::string, at::Tensor>& state, const std::string& name, const at::Tensor& into) {
  const auto found = state.find(name);
  if (found == state.end()) internal_error("optimizer: the saved state lacks '{}'", name);
  if (found->second.sizes() != into.sizes()) {
    internal_error("optimizer: saved '{}' has {} elements, expected {}", name, found->second.numel(), into.numel());
  }
  into.copy_(found->second);
}

}  // namespace tsrun
