#pragma once

#include <nlohmann/json.hpp>

#include <limits>

namespace tsrun::report {

/// JSON has no NaN: null is NaN.
inline double number_from(const nlohmann::json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

}  // namespace tsrun::report
