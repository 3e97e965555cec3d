#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tsrun {

/// Rows of int8 with scales: element (r, k) is scales[r][k / block] · data[r][k]. Does not own them. Products are summed in float32 within
/// a block and in float64 beyond it; results do not depend on the number of threads.
struct QuantizedRows {
  std::vector<const int8_t*> data;
  std::vector<const float*> scales;
  int64_t columns = 0;
  int64_t block = 256;  ///< columns that share a scale, a power of two from 16 to 2048; 0: the whole row
  int64_t count() const { return static_cast<int64_t>(data.size()); }
};

/// Scales of a row: ⌈columns / block⌉, or one.
int64_t scale_count(int64_t columns, int64_t block);
/// Rounds to nearest, with the largest magnitude of each block at ±127; a block of zeros has scale 0. `numbers` has as many elements as
/// `row`, `scales` as `scale_count` says.
void quantize_row(std::span<const float> row, int64_t block, std::span<int8_t> numbers, std::span<float> scales);

/// out += Rᵀ c. `out` has `columns` elements.
void add_combination(const QuantizedRows& rows, std::span<const double> coefficients, std::span<float> out);
/// R g: one number a row.
std::vector<double> dot_products(const QuantizedRows& rows, std::span<const float> g);

}  // namespace tsrun
