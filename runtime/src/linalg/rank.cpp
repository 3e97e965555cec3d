#include "tsrun/base/error.h"
#include "tsrun/linalg/ranking.h"

#include <array>
#include <bit>
#include <cmath>

// Ranks by a radix sort over the bits of the floats: millions of weights are ranked in a fraction of a comparison sort's time.
namespace tsrun {
namespace {

struct Item {
  uint32_t key;  // orders as the float does
  uint32_t index;
};

/// Unsigned numbers that order as the floats do; -0 equals +0; NaN is lowest.
uint32_t sortable(float value) {
  if (std::isnan(value)) return 0;
  const uint32_t bits = std::bit_cast<uint32_t>(value == 0 ? 0.0f : value);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

void radix_pass(const std::vector<Item>& from, std::vector<Item>& to, int shift) {
  std::array<size_t, 2049> starts{};
  for (const Item& item : from) ++starts[((item.key >> shift) & 2047u) + 1];
  for (size_t b = 1; b < starts.size(); ++b) starts[b] += starts[b - 1];
  for (const Item& item : from) to[starts[(item.key >> shift) & 2047u]++] = item;
}

/// Mean ranks, from 0.
std::vector<double> ranks(std::span<const float> values) {
  std::vector<Item> items(values.size()), other(values.size());
  for (size_t i = 0; i < values.size(); ++i) items[i] = {sortable(values[i]), static_cast<uint32_t>(i)};
  for (int shift : {0, 11, 22}) {
    radix_pass(items, other, shift);
    items.swap(other);
  }
  std::vector<double> result(values.size());
  for (size_t first = 0; first < items.size();) {
    size_t last = first;
    while (last < items.size() && items[last].key == items[first].key) ++last;
    for (size_t i = first; i < last; ++i) result[items[i].index] = 0.5 * static_cast<double>(first + last - 1);
    first = last;
  }
  return result;
}

}  // namespace

double rank_correlation(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) internal_error("rank_correlation: {} and {} values", a.size(), b.size());
  if (a.size() < 2) return 0;
  const auto x = ranks(a), y = ranks(b);
  const double mean = 0.5 * static_cast<double>(a.size() - 1);
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

}  // namespace tsrun
