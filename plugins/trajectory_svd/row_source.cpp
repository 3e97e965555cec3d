#include "row_source.h"

#include <algorithm>

namespace tsrun::trajectory_svd {

RowSource::RowSource(std::span<const float> origin, const Rows& differences) {
  if (origin.empty()) {
    parts_ = {differences};
  } else if (differences.type == RowType::float32) {
    Rows all = differences;
    all.data.insert(all.data.begin(), origin.data());
    parts_ = {all};
  } else {
    parts_ = {Rows{{origin.data()}, RowType::float32, differences.columns}, differences};
  }
}

int64_t RowSource::count() const {
  int64_t count = 0;
  for (const Rows& part : parts_) count += part.count();
  return count;
}

SmallMatrix RowSource::gram() const {
  if (parts_.size() == 1) return tsrun::gram(parts_[0]);
  const SmallMatrix rest = tsrun::gram(parts_[1]);
  const std::span<const float> origin(static_cast<const float*>(parts_[0].data[0]), static_cast<size_t>(parts_[0].columns));
  const auto cross = tsrun::dot_products(parts_[1], origin);
  SmallMatrix all(count(), count());
  all(0, 0) = tsrun::dot_products(parts_[0], origin)[0];
  for (int64_t i = 0; i < rest.rows; ++i) {
    all(0, i + 1) = all(i + 1, 0) = cross[static_cast<size_t>(i)];
    for (int64_t j = 0; j < rest.rows; ++j) all(i + 1, j + 1) = rest(i, j);
  }
  return all;
}

void RowSource::expand(std::span<const double> coefficients, std::span<float> out) const {
  for (const Rows& part : parts_) {
    tsrun::add_combination(part, coefficients.first(part.data.size()), out);
    coefficients = coefficients.subspan(part.data.size());
  }
}

std::vector<double> RowSource::project(std::span<const float> g) const {
  std::vector<double> result;
  for (const Rows& part : parts_) {
    const auto numbers = tsrun::dot_products(part, g);
    result.insert(result.end(), numbers.begin(), numbers.end());
  }
  return result;
}

void RowSource::combine(const SmallMatrix& matrix, std::span<float* const> out) const {
  if (parts_.size() == 1) return tsrun::combine(matrix, parts_[0], out);
  SmallMatrix rest(matrix.rows, matrix.columns - 1);
  for (int64_t i = 0; i < matrix.rows; ++i)
    for (int64_t j = 1; j < matrix.columns; ++j) rest(i, j - 1) = matrix(i, j);
  tsrun::combine(rest, parts_[1], out);
  for (int64_t i = 0; i < matrix.rows; ++i) {
    const double coefficient = matrix(i, 0);
    tsrun::add_combination(parts_[0], {&coefficient, 1}, {out[static_cast<size_t>(i)], static_cast<size_t>(parts_[0].columns)});
  }
}

}  // namespace tsrun::trajectory_svd
