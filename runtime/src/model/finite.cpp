#include "tsrun/model/finite.h"

#include <ATen/ops/aminmax.h>

#include <cmath>

namespace tsrun {

bool all_finite(const at::Tensor& values) {
  if (values.numel() == 0) return true;
  const auto [least, most] = at::aminmax(values.detach());  // a NaN anywhere is both
  return std::isfinite(least.item<double>()) && std::isfinite(most.item<double>());
}

std::optional<std::string> first_not_finite(const Weights& weights) {
  for (const std::string& name : weights.names()) {
    if (!all_finite(weights.at(name))) return name;
  }
  return std::nullopt;
}

void require_finite(const Weights& weights, const std::string& where) {
  if (const auto name = first_not_finite(weights))
    throw NotFinite(
        fmt::format("{}: '{}' holds numbers that are not finite (NaN or infinity), so nothing can be computed with it", where, *name));
}

}  // namespace tsrun
