#include "tsrun/linalg/fastfood.h"

#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/linalg/hadamard.h"
#include "tsrun/linalg/rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

namespace tsrun {
namespace {

constexpr int64_t fastfood_grain = 1 << 14;  // numbers that a thread takes at least

int64_t power_of_two(int64_t least) { return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(least))); }

std::vector<float> draw_signs(Key key, int64_t count) {
  Stream stream(key);
  std::vector<float> signs(static_cast<size_t>(count));
  for (float& sign : signs) sign = (stream.next() & 1) != 0 ? 1.0f : -1.0f;
  return signs;
}

std::vector<uint16_t> draw_places(Key key, int64_t length, int64_t period) {
  const auto order = permutation(key, length);
  std::vector<uint16_t> places(order.size());
  std::transform(order.begin(), order.end(), places.begin(), [&](int64_t place) { return static_cast<uint16_t>(place % period); });
  return places;
}

/// Memory for `count` floats that are written before they are read.
struct Scratch {
  explicit Scratch(int64_t count) : memory(std::make_unique_for_overwrite<float[]>(static_cast<size_t>(count))), size(count) {}
  std::span<float> span() const { return {memory.get(), static_cast<size_t>(size)}; }
  std::unique_ptr<float[]> memory;
  int64_t size;
};

/// Parts of equal length whose sums are added in order; with their number bounded, so is the memory for them.
int64_t parts_of(int64_t length, int64_t period) {
  return std::clamp<int64_t>(length / FastfoodMap::most_coordinates, 1, std::max<int64_t>(1, std::min<int64_t>(64, (1 << 20) / period)));
}

}  // namespace

FastfoodMap::FastfoodMap(int64_t size, int64_t dim, Key key)
    : size_(size), dim_(dim), length_(power_of_two(std::max(size, dim))), period_(power_of_two(dim)) {
  if (size < 1 || dim < 1 || dim > most_coordinates) internal_error("fastfood: a map from {} to {} numbers", dim, size);
  signs_ = draw_signs(key.split("signs"), dim_);
  places_ = draw_places(key.split("permutation"), length_, period_);
  gaussian_.resize(static_cast<size_t>(length_));
  fill_normal(key.split("gaussian"), gaussian_);
  const double energy = dot_products(Rows{{gaussian_.data()}, RowType::float32, length_}, gaussian_)[0];
  const double n = static_cast<double>(length_), kept = static_cast<double>(size_) / n;
  scale_ = static_cast<float>(1 / (std::sqrt(n * energy) * std::sqrt(kept)));
}

std::vector<float> FastfoodMap::mixed(std::span<const float> x) const {
  std::vector<float> result(static_cast<size_t>(period_), 0.0f);
  for (size_t k = 0; k < signs_.size(); ++k) result[k] = signs_[k] * x[k];
  hadamard(result);
  return result;
}

void FastfoodMap::expand(std::span<const float> x, std::span<float> out, float factor) const {
  const auto w = mixed(x);
  const Scratch work(length_);
  float* values = work.memory.get();
  parallel_for(length_, fastfood_grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) values[i] = gaussian_[i] * w[places_[i]];
  });
  hadamard(work.span());
  const float scale = factor * scale_;
  parallel_for(size_, fastfood_grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) out[i] += scale * values[i];
  });
}

void FastfoodMap::transform(std::span<const float> g, std::span<float> out) const {
  parallel_for(size_, fastfood_grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) out[i] = scale_ * g[i];
  });
  std::fill(out.begin() + size_, out.end(), 0.0f);
  hadamard(out);
}

void FastfoodMap::gather(std::span<const float> h, double factor, std::span<double> out) const {
  const int64_t parts = parts_of(length_, period_), part = length_ / parts + (length_ % parts != 0 ? 1 : 0);
  std::vector<double> sums(static_cast<size_t>(parts * period_), 0.0);
  parallel_for(parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      double* mine = sums.data() + p * period_;
      const auto end = static_cast<size_t>(std::min(length_, (p + 1) * part));
      for (auto i = static_cast<size_t>(p * part); i < end; ++i) mine[places_[i]] += static_cast<double>(gaussian_[i]) * h[i];
    }
  });
  std::vector<float> total(static_cast<size_t>(period_));
  for (int64_t k = 0; k < period_; ++k) {
    double sum = 0;
    for (int64_t p = 0; p < parts; ++p) sum += sums[static_cast<size_t>(p * period_ + k)];
    total[static_cast<size_t>(k)] = static_cast<float>(sum);
  }
  hadamard(total);
  for (size_t k = 0; k < signs_.size(); ++k) out[k] += factor * signs_[k] * total[k];
}

void FastfoodMap::project(std::span<const float> g, std::span<double> out, double factor) const {
  const Scratch work(length_);
  transform(g, work.span());
  gather(work.span(), factor, out);
}

void FastfoodMap::gaussian_gradient(std::span<const float> x, std::span<const float> g, double factor, std::span<float> out,
                                    std::span<double> x_gradient) const {
  transform(g, out);
  gather(out, factor * factor, x_gradient);
  const auto w = mixed(x);
  const auto narrow = static_cast<float>(factor);
  parallel_for(length_, fastfood_grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) out[i] *= narrow * w[places_[i]];
  });
}

std::vector<std::span<const std::byte>> FastfoodMap::first_numbers() const {
  const auto first = static_cast<size_t>(std::min<int64_t>(length_, 4096));
  return {std::as_bytes(std::span(signs_).first(std::min(first, signs_.size()))), std::as_bytes(std::span(places_).first(first)),
          std::as_bytes(std::span(gaussian_).first(first))};
}

}  // namespace tsrun
