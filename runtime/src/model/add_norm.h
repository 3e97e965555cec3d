#pragma once

#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

namespace tsrun::model {

/// y = LayerNorm(residual + dropout(x)) gain + bias, in one pass over memory. x, residual: [rows, width].
///
/// Row i takes row places[i] of the dropout mask (int64 on the host; undefined: row i), so a subset of rows is treated as it would be among
/// all of them.
struct AddNormOptions {
  double epsilon = 1e-12, dropout = 0;
  Key key = Key::root(0);
  at::Tensor places = {};
};
at::Tensor add_norm(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& gain, const at::Tensor& bias,
                    const AddNormOptions& options);

}  // namespace tsrun::model
