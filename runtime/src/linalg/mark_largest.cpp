#include "tsrun/base/parallel.h"
#include "tsrun/linalg/ranking.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <mutex>

namespace tsrun {
namespace {

constexpr int digit_bits = 11;
constexpr uint32_t digits = 1U << digit_bits;
constexpr int64_t range_of_values = 1 << 16;  // per call of a thread
using Histogram = std::array<int64_t, digits>;

/// Unsigned numbers in the order of the floats: NaN lowest, -0 equal to 0. Without a branch on the sign, which scores would mispredict.
uint32_t order_of(float value) {
  const auto bits = std::bit_cast<uint32_t>(value + 0.0F);
  const uint32_t flipped = (0U - (bits >> 31)) | 0x80000000U;  // all bits of a negative number, the sign of another
  return std::isnan(value) ? 0 : bits ^ flipped;
}

/// Adds the counts of digit `shift` of the values whose higher bits are those of `prefix`.
void count_digits(std::span<const float> values, uint32_t prefix, uint32_t prefix_mask, int shift, Histogram& all) {
  std::mutex mutex;
  parallel_for(static_cast<int64_t>(values.size()), range_of_values, [&](int64_t begin, int64_t end) {
    Histogram own{};
    for (const float value : values.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin))) {
      const uint32_t order = order_of(value);
      if ((order & prefix_mask) == prefix) ++own[(order >> shift) & (digits - 1)];
    }
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < own.size(); ++i) all[i] += own[i];
  });
}

struct Threshold {
  uint32_t order = 0;  ///< of the k-th largest value
  int64_t ties = 0;    ///< values of this order among the k largest
};

Threshold find_threshold(std::span<const std::span<const float>> runs, int64_t k) {
  uint32_t prefix = 0, mask = 0;
  for (const int shift : {21, 10, 0}) {  // the last digit overlaps the second by a bit
    Histogram counts{};
    for (const auto& values : runs) count_digits(values, prefix, mask, shift, counts);
    uint32_t digit = digits - 1;
    while (counts[digit] < k) k -= counts[digit--];
    prefix |= digit << shift;
    mask |= (digits - 1) << shift;
  }
  return {prefix, k};
}

/// Marks values above the threshold, and the first of those at it, which are used up.
void mark(std::span<const float> values, Threshold& threshold, bool* chosen) {
  parallel_for(static_cast<int64_t>(values.size()), range_of_values, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) chosen[i] = order_of(values[static_cast<size_t>(i)]) > threshold.order;
  });
  for (size_t i = 0; threshold.ties > 0 && i < values.size(); ++i)
    if (order_of(values[i]) == threshold.order) chosen[i] = true, --threshold.ties;
}

}  // namespace

void mark_largest(std::span<const std::span<const float>> runs, int64_t k, std::span<bool* const> chosen) {
  int64_t count = 0;
  for (const auto& values : runs) count += static_cast<int64_t>(values.size());
  if (k <= 0 || k >= count) {
    for (size_t r = 0; r < runs.size(); ++r) std::fill_n(chosen[r], runs[r].size(), k > 0);
    return;
  }
  Threshold threshold = find_threshold(runs, k);
  for (size_t r = 0; r < runs.size(); ++r) mark(runs[r], threshold, chosen[r]);
}

void mark_largest(std::span<const float> values, int64_t k, bool* chosen) {
  mark_largest(std::span(&values, 1), k, std::span<bool* const>(&chosen, 1));
}

}  // namespace tsrun
