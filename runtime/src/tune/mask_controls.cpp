#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/linalg/ranking.h"
#include "tune/position_shares.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

namespace tsrun {
namespace tune {
namespace {

struct Matching {
  const Mask& mask;
  const at::Tensor& update;
  const at::Tensor& origin;
  const ParameterSet& set;
  const Family& family;
  Key key;
};

/// `count` different numbers in [begin, end), ascending (Floyd's sampling).
std::vector<int64_t> random_range(Key key, int64_t begin, int64_t end, int64_t count) {
  Stream stream(key);
  std::unordered_set<int64_t> chosen;
  for (int64_t top = end - begin - count; top < end - begin; ++top) {
    const auto pick = static_cast<int64_t>(stream.below(static_cast<uint64_t>(top) + 1));
    if (!chosen.insert(pick).second) chosen.insert(top);
  }
  std::vector<int64_t> result;
  for (int64_t pick : chosen) result.push_back(begin + pick);
  std::sort(result.begin(), result.end());
  return result;
}

void append(std::vector<int64_t>& to, std::span<const int64_t> from) { to.insert(to.end(), from.begin(), from.end()); }

int64_t count_in(const Matching& m, int64_t begin, int64_t end) {
  return static_cast<int64_t>(within(m.mask.positions, begin, end).size());
}

std::vector<int64_t> random_positions(const Matching& m) {
  std::vector<int64_t> result;
  for (const Group& group : m.set.groups)
    append(result, random_range(m.key.split(group.name), group.begin, group.end, count_in(m, group.begin, group.end)));
  return result;
}

std::vector<int64_t> random_per_tensor(const Matching& m) {
  std::vector<int64_t> result;
  for (const Slice& slice : m.set.layout.slices())
    append(result, random_range(m.key.split(slice.name), slice.offset, slice.offset + slice.size,
                                count_in(m, slice.offset, slice.offset + slice.size)));
  return result;
}

std::vector<int64_t> without_norms(const Matching& m) {
  std::vector<int64_t> result;
  for (const Slice& slice : m.set.layout.slices())
    if (!is_norm(parameter(m.family, slice.name))) append(result, within(m.mask.positions, slice.offset, slice.offset + slice.size));
  return result;
}

/// The largest |θ0| of each group, as many as `counted` has there; norms rank below everything when they are left out.
std::vector<int64_t> largest(const Matching& m, std::span<const int64_t> counted, bool norms) {
  const auto theta0 = numbers(m.origin, m.set.layout, "mask (origin)");
  std::vector<float> size(theta0.size());
  std::transform(theta0.begin(), theta0.end(), size.begin(), [](float v) { return std::abs(v); });
  for (const Slice& slice : m.set.layout.slices())
    if (!norms && is_norm(parameter(m.family, slice.name)))
      std::fill_n(size.begin() + slice.offset, slice.size, -std::numeric_limits<float>::infinity());
  std::vector<int64_t> result;
  for (const Group& group : m.set.groups) {
    const auto part = std::span<const float>(size).subspan(static_cast<size_t>(group.begin), static_cast<size_t>(group.size()));
    for (int64_t index : top_k(part, static_cast<int64_t>(within(counted, group.begin, group.end).size())))
      result.push_back(group.begin + index);
  }
  return result;
}

std::vector<int64_t> most_deviating(const Matching& m) {
  const auto u = numbers(m.update, m.set.layout, "mask control 'top' (update)");
  std::vector<int64_t> result;
  for (const Group& group : m.set.groups) {
    const auto part = u.subspan(static_cast<size_t>(group.begin), static_cast<size_t>(group.size()));
    double mean = 0;
    for (float v : part) mean += v / static_cast<double>(part.size());
    std::vector<float> deviations;
    for (float v : part) deviations.push_back(static_cast<float>(std::abs(v - mean)));
    for (int64_t index : top_k(deviations, 1)) result.push_back(group.begin + index);
  }
  return result;
}

std::vector<int64_t> positions_of(const std::string& control, const Matching& m) {
  if (control == "random") return random_positions(m);
  if (control == "random_per_tensor") return random_per_tensor(m);
  if (control == "magnitude") return largest(m, m.mask.positions, true);
  if (control == "without_norms") return without_norms(m);
  if (control == "magnitude_without_norms") return largest(m, without_norms(m), false);
  if (control == "top") return most_deviating(m);
  user_error("unknown mask control '{}'{}; expected {}", control, did_you_mean(control, mask_controls()), join_words(mask_controls()));
}

int64_t overlap(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::vector<int64_t> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return static_cast<int64_t>(both.size());
}

}  // namespace

}  // namespace tune

const std::vector<std::string>& mask_controls() {
  static const std::vector<std::string> names = {"random",        "random_per_tensor",       "magnitude",
                                                 "without_norms", "magnitude_without_norms", "top"};
  return names;
}

Mask matched_mask(const std::string& control, const Mask& mask, const at::Tensor& update, const at::Tensor& origin, const ParameterSet& set,
                  const Family& family, Key key) {
  using namespace tune;
  if (const auto difference = first_difference(set.layout, mask.layout))
    data_error("the mask belongs to another parameter set: {}", *difference);
  Mask result{set.layout, positions_of(control, {mask, update, origin, set, family, key.split(control)}), {}};
  auto groups = nlohmann::json::array();
  for (const Group& group : set.groups)
    groups.push_back({{"name", group.name},
                      {"count", within(result.positions, group.begin, group.end).size()},
                      {"matched_count", within(mask.positions, group.begin, group.end).size()}});
  result.description = {{"made_by", control},
                        {"count", result.positions.size()},
                        {"matched_count", mask.positions.size()},
                        {"shared_with_matched", overlap(result.positions, mask.positions)},
                        {"by_module", shares_by_module(result.positions, set.layout, 0, set.layout.total(), family)},
                        {"by_kind", shares_by_kind(result.positions, set.layout, 0, set.layout.total(), family)},
                        {"groups", groups}};
  return result;
}

}  // namespace tsrun
