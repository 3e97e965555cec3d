#pragma once

#include <ATen/core/Tensor.h>

namespace tsrun::model {

/// Rows `ids` [tokens] of `table` [rows, width]: [tokens, width]. The row `padding` (-1: none) gets no gradient. See AddsGradientsInPlace.
at::Tensor embedding_rows(const at::Tensor& table, const at::Tensor& ids, int64_t padding);

}  // namespace tsrun::model
