#include "train/finite_step.h"

#include "tsrun/model/finite.h"
#include "tsrun/train/diverged.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace tsrun::training {
namespace {

std::string row_list(const EncodedSplit& split, const std::vector<std::vector<int64_t>>& micro_batches) {
  std::vector<int64_t> rows;
  for (const auto& batch : micro_batches)
    for (const int64_t row : batch) rows.push_back(split.alternatives.empty() ? row : split.examples[static_cast<size_t>(row)]);
  std::sort(rows.begin(), rows.end());
  return fmt::format("{}", fmt::join(rows, ", "));
}

/// The weight that is to blame, where there is one.
std::string blamed(const Weights& weights) {
  const auto name = first_not_finite(weights);
  return name ? fmt::format(", and '{}' holds numbers that are not finite", *name) : "";
}

}  // namespace

void require_finite_step(const char* what, double value, int64_t step, const Weights& weights, const EncodedSplit& split,
                         const std::vector<std::vector<int64_t>>& micro_batches) {
  if (std::isfinite(value)) return;
  const std::string message = fmt::format(
      "step {}: the {} is {}{}; rows of the batch, from 0: {}. A smaller learning rate, a warm-up or a smaller max_grad_norm may help",
      step + 1, what, value, blamed(weights), row_list(split, micro_batches));
  throw Diverged(message, fmt::format("{} not finite in step {}", what, step + 1), step);
}

}  // namespace tsrun::training
