#include "linalg/rounded_units.h"

#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#include <cmath>

namespace tsrun::linalg {

RoundedUnits::RoundedUnits(const float* rows, int64_t count, int64_t width, int64_t panel)
    : rows_((count + tile - 1) / tile * tile), pairs_((width + 1) / 2) {
  words_.resize(static_cast<size_t>(rows_ * pairs_));
  finite_.resize(static_cast<size_t>(rows_));
  zero_.resize(static_cast<size_t>(rows_));
  std::vector<double> lengths(static_cast<size_t>(count)), errors(static_cast<size_t>(count));
  parallel_for(count, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      round_row(rows + i * width, width, i, lengths[static_cast<size_t>(i)], errors[static_cast<size_t>(i)]);
  });
  const auto most = [](const std::vector<double>& of) { return of.empty() ? 0.0 : *std::max_element(of.begin(), of.end()); };
  const double length = most(lengths), error = most(errors);
  if (length > 1.001) internal_error("nearest_units: a row of length {}; expected 1 or 0", length);
  // x·y = p·q + p·(y - q) + (x - p)·y, and |p| ≤ |x| + |x - p|; float32 rounds the product once more
  margin_ = (2 * length + error) * error * 1.0001 + 1e-7;
  pack(panel);
}

/// Numbers that are not finite leave the row zero.
void RoundedUnits::round_row(const float* from, int64_t width, int64_t i, double& length, double& error) {
  const bool finite = std::all_of(from, from + width, [](float x) { return std::isfinite(x); });
  finite_[static_cast<size_t>(i)] = finite;
  zero_[static_cast<size_t>(i)] = std::all_of(from, from + width, [](float x) { return x == 0; });
  if (!finite) return;
  auto* to = reinterpret_cast<int16_t*>(words_.data() + i * pairs_);
  double square = 0, missed = 0;
  for (int64_t j = 0; j < width; ++j) {
    const double x = from[j], scaled = std::clamp(x, -1.01, 1.01) * scale;
    to[j] = static_cast<int16_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
    const double rest = x - to[j] / scale;
    square += x * x;
    missed += rest * rest;
  }
  length = std::sqrt(square);
  error = std::sqrt(missed);
}

void RoundedUnits::pack(int64_t panel) {
  panels_.resize(words_.size());
  parallel_for(rows_ / panel, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      int32_t* to = panels_.data() + p * panel * pairs_;
      for (int64_t i = 0; i < panel; ++i)
        for (int64_t k = 0; k < pairs_; ++k) to[k * panel + i] = row(p * panel + i)[k];
    }
  });
}

int32_t RoundedUnits::below(float value) const {
  const double bound = std::floor((value - margin_) * scale * scale) - 1;
  return static_cast<int32_t>(std::max<double>(bound, -largest));
}

}  // namespace tsrun::linalg
