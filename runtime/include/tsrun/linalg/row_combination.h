#pragma once

#include <cstdint>

namespace tsrun {

/// out_i = own_i x_i + factor_i direction for every row of x, [rows, width], in one pass over memory.
void combine_rows(const float* x, int64_t rows, int64_t width, const float* own, const float* direction, const float* factor, float* out);
void combine_rows(const double* x, int64_t rows, int64_t width, const double* own, const double* direction, const double* factor,
                  double* out);

}  // namespace tsrun
