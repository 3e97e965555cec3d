#pragma once

#include "tsrun/tune/flat_buffer.h"
#include "tsrun/tune/mask.h"

#include <functional>
#include <span>

namespace tsrun::tune {

/// The ascending positions in [begin, end).
inline std::span<const int64_t> within(std::span<const int64_t> positions, int64_t begin, int64_t end) {
  const auto first = std::lower_bound(positions.begin(), positions.end(), begin);
  return {first, std::lower_bound(first, positions.end(), end)};
}

inline bool is_norm(const ParameterInfo& info) { return info.kind == ParameterKind::norm_weight || info.kind == ParameterKind::norm_bias; }

/// Counts of `positions` and of all weights in [begin, end), by what `name` calls the parameter they lie in:
/// {"output.LayerNorm": {"count": 40, "share": 0.33, "of_weights": 0.0004}, …}; entries without a position are left out.
nlohmann::json shares(std::span<const int64_t> positions, const Layout& layout, int64_t begin, int64_t end, const Family& family,
                      const std::function<std::string(const ParameterInfo&)>& name);
nlohmann::json shares_by_module(std::span<const int64_t> positions, const Layout& layout, int64_t begin, int64_t end, const Family& family);
nlohmann::json shares_by_kind(std::span<const int64_t> positions, const Layout& layout, int64_t begin, int64_t end, const Family& family);

/// A flat float32 tensor on the host, as numbers. The tensor must be contiguous and outlive the result.
std::span<const float> numbers(const at::Tensor& flat, const Layout& layout, const char* what);

}  // namespace tsrun::tune
