#pragma once

#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace tsrun::losia {

/// Mask of the sub-matrix of `rows` rows and `columns` columns that holds much of the sum of `scores`: the best of three greedy choices,
/// rows and columns by their own sums; rows first, then columns by their sums over these rows; or the reverse. Ties go to lower indices,
/// and to the earlier choice.
at::Tensor best_sub_matrix(const at::Tensor& scores, int64_t rows, int64_t columns);

at::Tensor random_sub_matrix(const std::vector<int64_t>& shape, int64_t rows, int64_t columns, Key key);

}  // namespace tsrun::losia
