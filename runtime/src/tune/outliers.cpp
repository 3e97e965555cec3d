#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/linalg/ranking.h"
#include "tune/position_shares.h"

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

struct MeanAndSpread {
  double mean = 0, deviation = 0;
};

MeanAndSpread mean_and_spread(std::span<const float> values) {
  double sum = 0, squares = 0;
  for (float v : values) sum += v;
  const double mean = values.empty() ? 0 : sum / static_cast<double>(values.size());
  for (float v : values) squares += (v - mean) * (v - mean);
  return {mean, values.empty() ? 0 : std::sqrt(squares / static_cast<double>(values.size()))};
}

std::vector<float> magnitudes(std::span<const float> values, double centre = 0) {
  std::vector<float> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(), [&](float v) { return static_cast<float>(std::abs(v - centre)); });
  return result;
}

std::vector<int64_t> unravel(int64_t index, const std::vector<int64_t>& shape) {
  std::vector<int64_t> result(shape.size());
  for (size_t d = shape.size(); d-- > 0; index /= shape[d]) result[d] = index % shape[d];
  return result;
}

nlohmann::json top_list(std::span<const float> u, const std::vector<float>& deviations, const Group& group, const Layout& layout,
                        int64_t count) {
  auto list = nlohmann::json::array();
  for (int64_t index : top_k_ordered(deviations, count)) {
    const Slice& slice = layout.at_position(group.begin + index);
    list.push_back({{"tensor", slice.name},
                    {"index", unravel(group.begin + index - slice.offset, slice.shape)},
                    {"value", u[static_cast<size_t>(index)]}});
  }
  return list;
}

const char* kind_name(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::weight:
      return "weight";
    case ParameterKind::bias:
      return "bias";
    case ParameterKind::norm_weight:
      return "norm_weight";
    case ParameterKind::norm_bias:
      return "norm_bias";
    case ParameterKind::embedding:
      return "embedding";
  }
  return "?";
}

}  // namespace

namespace tune {

std::span<const float> numbers(const at::Tensor& flat, const Layout& layout, const char* what) {
  if (!flat.defined() || flat.numel() != layout.total() || flat.scalar_type() != at::kFloat || !flat.is_contiguous() || !flat.is_cpu())
    internal_error("{}: expected a flat float32 vector of {} on the host", what, layout.total());
  return {flat.const_data_ptr<float>(), static_cast<size_t>(flat.numel())};
}

nlohmann::json shares(std::span<const int64_t> positions, const Layout& layout, int64_t begin, int64_t end, const Family& family,
                      const std::function<std::string(const ParameterInfo&)>& name) {
  std::map<std::string, std::pair<int64_t, int64_t>> counts;  // positions, weights
  for (const Slice& slice : layout.slices()) {
    const int64_t first = std::max(begin, slice.offset), last = std::min(end, slice.offset + slice.size);
    if (first >= last) continue;
    auto& [chosen, weights] = counts[name(parameter(family, slice.name))];
    chosen += static_cast<int64_t>(within(positions, first, last).size());
    weights += last - first;
  }
  const auto total = static_cast<double>(within(positions, begin, end).size());
  nlohmann::json result = nlohmann::json::object();
  for (const auto& [key, count] : counts)
    if (count.first > 0)
      result[key] = {{"count", count.first},
                     {"share", static_cast<double>(count.first) / total},
                     {"of_weights", static_cast<double>(count.second) / static_cast<double>(end - begin)}};
  return result;
}

nlohmann::json shares_by_module(std::span<const int64_t> positions, const Layout& layout, int64_t begin, int64_t end,
                                const Family& family) {
  return shares(positions, layout, begin, end, family,
                [](const ParameterInfo& info) { return info.module.empty() ? info.name : info.module; });
}

nlohmann::json shares_by_kind(std::span<const int64_t> positions, const Layout& layout, int64_t begin, int64_t end, const Family& family) {
  return shares(positions, layout, begin, end, family, [](const ParameterInfo& info) { return std::string(kind_name(info.kind)); });
}

}  // namespace tune

Mask find_outliers(const at::Tensor& update, const at::Tensor& origin, const ParameterSet& set, const Family& family,
                   const OutlierOptions& options) {
  using namespace tune;
  if (!(options.sigmas > 0)) user_error("outliers: sigmas is {}, expected a number above 0", options.sigmas);
  const auto u = numbers(update, set.layout, "outliers (update)"), theta0 = numbers(origin, set.layout, "outliers (origin)");
  Mask mask{set.layout, {}, {}};
  auto groups = nlohmann::json::array();
  for (const Group& group : set.groups) {
    const auto part = u.subspan(static_cast<size_t>(group.begin), static_cast<size_t>(group.size()));
    const auto start = theta0.subspan(static_cast<size_t>(group.begin), static_cast<size_t>(group.size()));
    const MeanAndSpread m = mean_and_spread(part);
    const std::vector<float> deviations = magnitudes(part, m.mean);
    const auto chosen = indices_above(deviations, options.sigmas * m.deviation);
    const size_t before = mask.positions.size();
    for (int64_t index : chosen) mask.positions.push_back(group.begin + index);
    const auto mine = std::span<const int64_t>(mask.positions).subspan(before);
    groups.push_back({{"name", group.name},
                      {"mean", m.mean},
                      {"deviation", m.deviation},
                      {"count", chosen.size()},
                      {"share", group.size() ? static_cast<double>(chosen.size()) / static_cast<double>(group.size()) : 0.0},
                      {"top", top_list(part, deviations, group, set.layout, options.top)},
                      {"by_module", shares_by_module(mine, set.layout, group.begin, group.end, family)},
                      {"by_kind", shares_by_kind(mine, set.layout, group.begin, group.end, family)},
                      {"rank_correlation", rank_correlation(magnitudes(part), magnitudes(start))}});
  }
  mask.description = {{"made_by", "outliers"},
                      {"sigmas", options.sigmas},
                      {"count", mask.positions.size()},
                      {"share", static_cast<double>(mask.positions.size()) / static_cast<double>(std::max<int64_t>(1, set.layout.total()))},
                      {"by_module", shares_by_module(mask.positions, set.layout, 0, set.layout.total(), family)},
                      {"by_kind", shares_by_kind(mask.positions, set.layout, 0, set.layout.total(), family)},
                      {"groups", groups}};
  return mask;
}

}  // namespace tsrun
