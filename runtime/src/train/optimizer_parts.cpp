#include "train/optimizer_parts.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun::training {
std::vector<Span> spans_of(const ParameterGroup& group) {
  const int64_t total = group.value.numel();
  if (group.owned) return {};
  if (!group.spans) return total > 0 ? std::vector<Span>{{0, total, 1, group.weight_decay}} : std::vector<Span>();
  int64_t done = 0;
  for (const Span& span : *group.spans) {
    if (span.begin < done || span.end < span.begin || span.end > total)
      internal_error("optimizer: group '{}' has a span [{}, {}) that is out of order or beyond {}", group.name, span.begin, span.end,
                     total);
    done = span.end;
  }
  return *group.spans;
}

at::Tensor moments_for(const ParameterGroup& group) { return at::zeros({group.owned ? 0 : group.value.numel()}, group.value.options()); }

std::vector<Span> outside(const std::vector<Span>& spans, int64_t total) {
  std::vector<Span> gaps;
  int64_t done = 0;
  for (const Span& span : spans) {
    if (span.begin > done) gaps.push_back({done, span.begin});
    done = span.end;
  }
  if (done < total) gaps.push_back({done, total});
  return gaps;
}

std::vector<std::vector<Span>> by_rate_and_decay(const std::vector<Span>& spans) {
  std::vector<std::vector<Span>> lists;
  for (const Span& span : spans) {
    const auto alike = [&](const std::vector<Span>& list) { return list[0].rate == span.rate && list[0].decay == span.decay; };
    auto found = std::find_if(lists.begin(), lists.end(), alike);
    if (found == lists.end()) found = lists.insert(lists.end(), std::vector<Span>());
    if (span.end > span.begin) found->push_back(span);
    if (found->empty()) lists.erase(found);
  }
  return lists;
}

void restore_tensor(const std::map<std::string, at::Tensor>& state, const std::string& name, const at::Tensor& into) {
  const auto found = state.find(name);
  if (found == state.end()) internal_error("optimizer: the saved state lacks '{}'", name);
  if (found->second.sizes() != into.sizes()) {
    internal_error("optimizer: saved '{}' has {} elements, expected {}", name, found->second.numel(), into.numel());
  }
  into.copy_(found->second);
}

}  // namespace tsrun::training
