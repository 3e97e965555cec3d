#pragma once

#include "model/dropout_mask.h"
#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

namespace tsrun::model {

/// The dropout mask of `key` with rate p, rounded to a multiple of 1/65536. @throws Error(internal) unless 0 <= p < 1.
DropoutMask dropout_mask(double p, Key key);

/// The kernels' dropout factors (0 or scale, float32) in ATen operations: for other devices and types, and for tests.
/// `units` and `positions` are int64 and broadcast against each other.
at::Tensor dropout_factors(const DropoutMask& mask, const at::Tensor& units, const at::Tensor& positions);

}  // namespace tsrun::model
