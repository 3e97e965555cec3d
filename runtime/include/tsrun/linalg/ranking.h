#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tsrun {

/// Indices of the k largest values, ascending by index; ties go to the lower index. NaN counts as lowest.
std::vector<int64_t> top_k(std::span<const float> values, int64_t k);
/// The k largest, in descending order of value (ties by index).
std::vector<int64_t> top_k_ordered(std::span<const float> values, int64_t k);
/// Marks the k largest values (chosen[i] is written for every i): the same choice as `top_k`, without its list, in four passes over
/// `values`.
void mark_largest(std::span<const float> values, int64_t k, bool* chosen);
/// The same over several runs of values, as if they lay end to end.
void mark_largest(std::span<const std::span<const float>> runs, int64_t k, std::span<bool* const> chosen);
/// Indices i with values[i] > threshold, ascending.
std::vector<int64_t> indices_above(std::span<const float> values, double threshold);
/// Spearman rank correlation (mean ranks for ties); 0 when either side is constant.
double rank_correlation(std::span<const float> a, std::span<const float> b);

}  // namespace tsrun
