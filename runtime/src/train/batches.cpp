#include "train/batches.h"

#include "train/streams.h"

#include <algorithm>
#include <numeric>

namespace tsrun::training {
namespace {

constexpr int64_t most_rows = 64, most_streams = 10, most_scores = int64_t{1} << 25;

std::vector<int64_t> by_length(const EncodedSplit& split) {
  std::vector<int64_t> order(split.rows.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return split.rows[static_cast<size_t>(a)].ids.size() < split.rows[static_cast<size_t>(b)].ids.size();
  });
  return order;
}

}  // namespace

int64_t judged_tokens(const EncodedSplit& split, int64_t row) {
  if (split.token_targets.empty()) return 1;
  const auto& targets = split.token_targets[static_cast<size_t>(row)];
  return static_cast<int64_t>(targets.size()) - std::count(targets.begin(), targets.end(), no_target);
}

std::vector<std::vector<int64_t>> evaluation_batches(const EncodedSplit& split, int64_t outputs) {
  std::vector<std::vector<int64_t>> batches;
  int64_t scores = 0;
  for (const int64_t row : by_length(split)) {
    const int64_t own = judged_tokens(split, row) * outputs;
    const bool full = batches.empty() || static_cast<int64_t>(batches.back().size()) == most_rows || scores + own > most_scores;
    if (full) {
      batches.emplace_back();
      scores = 0;
    }
    batches.back().push_back(row);
    scores += own;
  }
  return batches;
}

std::vector<std::vector<int64_t>> evaluation_streams(const EncodedSplit& split, int64_t outputs) {
  int64_t largest = 1;
  for (int64_t row = 0; row < split.size(); ++row) largest = std::max(largest, judged_tokens(split, row) * outputs);
  const Streams streams(split.size(), std::clamp<int64_t>(most_scores / largest, 1, most_streams));
  std::vector<std::vector<int64_t>> batches;
  for (int64_t index = 0; index < streams.batches(); ++index) batches.push_back(streams.batch(index));
  return batches;
}

}  // namespace tsrun::training
