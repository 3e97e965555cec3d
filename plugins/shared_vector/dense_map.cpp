#include "dense_map.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

namespace tsrun::shared_vector {

DenseMap::DenseMap(int64_t size, int64_t dim, Key key, double deviation, bool bias) : matrix_(at::empty({dim, size}, at::kFloat)) {
  fill_normal(key.split("matrix"), floats(matrix_), 0, 0, static_cast<float>(deviation));
  if (!bias) return;
  bias_ = at::empty({size}, at::kFloat);
  fill_normal(key.split("bias"), floats(bias_), 0, 0, static_cast<float>(deviation));
}

Rows DenseMap::rows() const {
  Rows rows{{}, RowType::float32, matrix_.size(1)};
  for (int64_t k = 0; k < matrix_.size(0); ++k) rows.data.push_back(matrix_.const_data_ptr<float>() + k * matrix_.size(1));
  return rows;
}

void DenseMap::expand(std::span<const float> x, std::span<float> out) const {
  tsrun::add_combination(rows(), std::vector<double>(x.begin(), x.end()), out);
  if (!bias_.defined()) return;
  const auto bias = floats(bias_);
  std::transform(out.begin(), out.end(), bias.begin(), out.begin(), [](float value, float more) { return value + more; });
}

void DenseMap::project(std::span<const float> g, std::span<double> out) const {
  const auto products = tsrun::dot_products(rows(), g);
  for (size_t k = 0; k < products.size(); ++k) out[k] += products[k];
}

void DenseMap::learn(const AdafactorRule& rule, std::span<const float> x, std::span<const float> g, std::span<double> out) {
  squares();
  SmallMatrix narrow(1, matrix_.size(0));
  std::copy(x.begin(), x.end(), narrow.values.begin());
  const LongRows matrix = {matrix_.mutable_data_ptr<float>(), matrix_.size(0), matrix_.size(1)};
  const SmallMatrix products = adafactor_outer(rule, matrix, floats(row_squares_), floats(column_squares_), {g.data()}, narrow);
  for (size_t k = 0; k < products.values.size(); ++k) out[k] += products.values[k];
  if (!bias_.defined()) return;
  std::vector<float> gradient(g.begin(), g.end());
  adafactor_vector(rule, floats(bias_), gradient, floats(bias_squares_));
}

std::vector<Numbers> DenseMap::numbers() const {
  std::vector<Numbers> all = {{"matrix", matrix_}};
  if (bias_.defined()) all.push_back({"bias", bias_});
  return all;
}

std::vector<Numbers> DenseMap::squares() {
  if (!row_squares_.defined()) {
    row_squares_ = at::zeros({matrix_.size(0)}, at::kFloat);
    column_squares_ = at::zeros({matrix_.size(1)}, at::kFloat);
    if (bias_.defined()) bias_squares_ = at::zeros_like(bias_);
  }
  std::vector<Numbers> all = {{"matrix.rows", row_squares_}, {"matrix.columns", column_squares_}};
  if (bias_.defined()) all.push_back({"bias", bias_squares_});
  return all;
}

void DenseMap::forget_squares() {
  row_squares_.reset();
  column_squares_.reset();
  bias_squares_.reset();
}

void DenseMap::add_to(Sha256& digest) const {
  const auto numbers = floats(matrix_);
  digest.update(std::as_bytes(numbers.first(std::min<size_t>(numbers.size(), 4096))));
}

}  // namespace tsrun::shared_vector
