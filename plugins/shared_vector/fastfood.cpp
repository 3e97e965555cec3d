#include "fastfood.h"

#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/linalg/hadamard.h"
#include "tsrun/linalg/rows.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace tsrun::shared_vector {
namespace {

constexpr int64_t grain = 1 << 14;  // numbers that a thread takes at least

constexpr int64_t most_coordinates = 1 << 16;

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

/// Parts of equal length whose sums are added in order; with their number bounded, so is the memory for them.
int64_t parts_of(int64_t length, int64_t period) {
  return std::clamp<int64_t>(length / most_coordinates, 1, std::max<int64_t>(1, std::min<int64_t>(64, (1 << 20) / period)));
}

}  // namespace

Fastfood::Fastfood(int64_t size, int64_t dim, Key key, bool release_gradients)
    : size_(size), dim_(dim), length_(power_of_two(std::max(size, dim))), period_(power_of_two(dim)) {
  if (size < 1 || dim < 1 || dim > most_coordinates) internal_error("shared_vector: a map from {} to {} numbers", dim, size);
  if (release_gradients) release_factor_ = 1 / std::sqrt(static_cast<double>(length_));
  signs_ = draw_signs(key.split("signs"), dim_);
  places_ = draw_places(key.split("permutation"), length_, period_);
  gaussian_ = at::empty({length_}, at::kFloat);
  fill_normal(key.split("gaussian"), floats(gaussian_));
  const double energy = tsrun::dot_products(Rows{{gaussian_.const_data_ptr()}, RowType::float32, length_}, floats(gaussian_))[0];
  const double n = static_cast<double>(length_), kept = static_cast<double>(size_) / n;
  scale_ = static_cast<float>(1 / (std::sqrt(n * energy) * std::sqrt(kept)));
}

std::vector<float> Fastfood::mixed(std::span<const float> x) const {
  std::vector<float> result(static_cast<size_t>(period_), 0.0f);
  for (size_t k = 0; k < signs_.size(); ++k) result[k] = signs_[k] * x[k];
  hadamard(result);
  return result;
}

void Fastfood::expand(std::span<const float> x, std::span<float> out) const {
  const auto w = mixed(x);
  const at::Tensor work = at::empty({length_}, at::kFloat);
  const auto values = floats(work), g = floats(gaussian_);
  parallel_for(length_, grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) values[i] = g[i] * w[places_[i]];
  });
  hadamard(values);
  parallel_for(size_, grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) out[i] += scale_ * values[i];
  });
}

at::Tensor Fastfood::transformed(std::span<const float> g) const {
  at::Tensor work = at::empty({length_}, at::kFloat);
  const auto values = floats(work);
  parallel_for(size_, grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) values[i] = scale_ * g[i];
  });
  std::fill(values.begin() + size_, values.end(), 0.0f);
  hadamard(values);
  return work;
}

void Fastfood::gather(const at::Tensor& h, double factor, std::span<double> out) const {
  const auto values = floats(h), g = floats(gaussian_);
  const int64_t parts = parts_of(length_, period_), part = length_ / parts + (length_ % parts != 0 ? 1 : 0);
  std::vector<double> sums(static_cast<size_t>(parts * period_), 0.0);
  parallel_for(parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      double* mine = sums.data() + p * period_;
      const auto end = static_cast<size_t>(std::min(length_, (p + 1) * part));
      for (auto i = static_cast<size_t>(p * part); i < end; ++i) mine[places_[i]] += static_cast<double>(g[i]) * values[i];
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

void Fastfood::project(std::span<const float> g, std::span<double> out) const { gather(transformed(g), 1, out); }

at::Tensor Fastfood::gaussian_gradient(std::span<const float> x, std::span<const float> g, std::span<double> out) const {
  at::Tensor h = transformed(g);
  gather(h, release_factor_ * release_factor_, out);
  const auto w = mixed(x);
  const auto values = floats(h);
  const auto factor = static_cast<float>(release_factor_);
  parallel_for(length_, grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) values[i] *= factor * w[places_[i]];
  });
  return h;
}

void Fastfood::learn(const AdafactorRule& rule, std::span<const float> x, std::span<const float> g, std::span<double> out) {
  const at::Tensor gradient = gaussian_gradient(x, g, out);
  squares();
  adafactor_vector(rule, floats(gaussian_), floats(gradient), floats(squares_));
}

std::vector<Numbers> Fastfood::squares() {
  if (!squares_.defined()) squares_ = at::zeros({length_}, at::kFloat);
  return {{"gaussian", squares_}};
}

void Fastfood::add_to(Sha256& digest) const {
  const auto first = static_cast<size_t>(std::min<int64_t>(length_, 4096));
  digest.update(std::as_bytes(std::span(signs_).first(std::min(first, signs_.size()))));
  digest.update(std::as_bytes(std::span(places_).first(first)));
  digest.update(std::as_bytes(floats(gaussian_).first(first)));
}

}  // namespace tsrun::shared_vector
