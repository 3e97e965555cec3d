#include "tsrun/linalg/quantized_rows.h"

#include "linalg/blocks.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

constexpr int64_t widest = 2048;  // columns in flight; blocks and pages are multiples or parts of it

/// sums[0, count) += coefficient · row[0, count).
struct AddNumbers {
  template <int W>
  TSRUN_INLINE static void run(const int8_t* row, float coefficient, int64_t count, float* sums) {
#pragma GCC ivdep
    for (int64_t k = 0; k < count; ++k) sums[k] += coefficient * static_cast<float>(row[k]);
  }
};

/// *sum = Σ row[k] g[k].
struct DotNumbers {
  template <int W>
  TSRUN_INLINE static void run(const int8_t* row, const float* g, int64_t count, float* sum) {
    float lanes[2 * W] = {};
    int64_t k = 0;
    for (; k + 2 * W <= count; k += 2 * W) {
#pragma GCC unroll 16
      for (int lane = 0; lane < 2 * W; ++lane) lanes[lane] += static_cast<float>(row[k + lane]) * g[k + lane];
    }
    float total = 0;
    for (; k < count; ++k) total += static_cast<float>(row[k]) * g[k];
    for (const float lane : lanes) total += lane;
    *sum = total;
  }
};

void check_rows(const QuantizedRows& rows, int64_t numbers, int64_t expected, const char* what) {
  if (numbers != expected) internal_error("{}: {} numbers, expected {}", what, numbers, expected);
  if (rows.scales.size() != rows.data.size()) internal_error("{}: {} rows with {} lists of scales", what, rows.count(), rows.scales.size());
}

int64_t chunk_of(const QuantizedRows& rows) { return rows.block == 0 ? widest : std::min(rows.block, widest); }

float scale_at(const QuantizedRows& rows, size_t row, int64_t column) {
  return rows.scales[row][rows.block == 0 ? 0 : column / rows.block];
}

float largest_magnitude(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

}  // namespace

int64_t scale_count(int64_t columns, int64_t block) { return block == 0 ? 1 : (columns + block - 1) / block; }

void quantize_row(std::span<const float> row, int64_t block, std::span<int8_t> numbers, std::span<float> scales) {
  const auto columns = static_cast<int64_t>(row.size());
  const int64_t width = block == 0 ? std::max<int64_t>(1, columns) : block;
  for (size_t b = 0; b < scales.size(); ++b) {
    const size_t begin = b * static_cast<size_t>(width), count = std::min(static_cast<size_t>(width), row.size() - begin);
    const float scale = largest_magnitude(row.subspan(begin, count)) / 127;
    scales[b] = scale;
    for (size_t k = begin; k < begin + count; ++k) numbers[k] = scale > 0 ? static_cast<int8_t>(std::lround(row[k] / scale)) : int8_t{0};
  }
}

void add_combination(const QuantizedRows& rows, std::span<const double> coefficients, std::span<float> out) {
  check_rows(rows, static_cast<int64_t>(coefficients.size()), rows.count(), "expand");
  check_rows(rows, static_cast<int64_t>(out.size()), rows.columns, "expand (output)");
  const int64_t chunk = chunk_of(rows), chunks = (rows.columns + chunk - 1) / chunk;
  parallel_for(chunks, std::max<int64_t>(1, 16384 / chunk), [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) {
      const int64_t at = c * chunk, count = std::min(chunk, rows.columns - at);
      float sums[widest] = {};
      for (size_t r = 0; r < rows.data.size(); ++r)
        kernel::run<AddNumbers>(rows.data[r] + at, static_cast<float>(coefficients[r] * scale_at(rows, r, at)), count,
                                static_cast<float*>(sums));
      for (int64_t k = 0; k < count; ++k) out[static_cast<size_t>(at + k)] += sums[k];
    }
  });
}

std::vector<double> dot_products(const QuantizedRows& rows, std::span<const float> g) {
  check_rows(rows, static_cast<int64_t>(g.size()), rows.columns, "project");
  const linalg::Units units = linalg::cut(rows.columns);
  const int64_t chunk = chunk_of(rows), count = rows.count();
  std::vector<double> partial(static_cast<size_t>(units.count * count), 0.0);
  parallel_for(units.count, 1, [&](int64_t first, int64_t last) {
    for (int64_t u = first; u < last; ++u) {
      for (int64_t at = units.begin(u); at < units.end(u); at += chunk) {
        for (int64_t r = 0; r < count; ++r) {
          float sum = 0;
          const auto row = static_cast<size_t>(r);
          kernel::run<DotNumbers>(rows.data[row] + at, g.data() + at, std::min(chunk, units.end(u) - at), &sum);
          partial[static_cast<size_t>(u * count + r)] += static_cast<double>(scale_at(rows, row, at)) * sum;
        }
      }
    }
  });
  std::vector<double> result(rows.data.size(), 0.0);
  for (int64_t u = 0; u < units.count; ++u)
    for (size_t r = 0; r < result.size(); ++r) result[r] += partial[static_cast<size_t>(u * count) + r];
  return result;
}

}  // namespace tsrun
