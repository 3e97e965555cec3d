#pragma once

#include "tsrun/base/error.h"
#include "tsrun/model/weights.h"

#include <optional>
#include <string>

namespace tsrun {

/// Whether `values` holds neither NaN nor infinity; one read.
bool all_finite(const at::Tensor& values);

/// Name of the first tensor, in declaration order, with a NaN or an infinity.
std::optional<std::string> first_not_finite(const Weights& weights);

/// Weights, scores or a loss that are not finite where a model computes.
class NotFinite : public Error {
 public:
  explicit NotFinite(const std::string& message) : Error(ErrorKind::run, message) {}
};

/// @throws NotFinite naming `where` and the first tensor that is not finite
void require_finite(const Weights& weights, const std::string& where);

}  // namespace tsrun
