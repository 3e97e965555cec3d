#include "projection.h"

#include "tsrun/base/parallel.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

namespace tsrun::joint_decomposition {
Projection::Projection(int64_t dim, int64_t length, Key key)
    : values_(at::empty({dim, length}, at::kFloat)), by_column_(at::zeros({length}, at::kFloat)), by_row_(at::zeros({dim}, at::kFloat)) {
  const LongRows matrix = rows();
  parallel_for(dim, 1, [&](int64_t first, int64_t last) {
    for (int64_t j = first; j < last; ++j)
      fill_normal(key.split(static_cast<uint64_t>(j)), {matrix.row(j), static_cast<size_t>(length)}, 0, 0, initial_deviation);
  });
}

LongRows Projection::rows() const { return {values_.mutable_data_ptr<float>(), dim(), length()}; }

SmallMatrix Projection::descend(const AdafactorRule& rule, const std::vector<const float*>& wide, const SmallMatrix& narrow) {
  const auto all = [](const at::Tensor& means) { return std::span(means.mutable_data_ptr<float>(), static_cast<size_t>(means.numel())); };
  return adafactor_outer(rule, rows(), all(by_row_), all(by_column_), wide, narrow);
}

std::map<std::string, at::Tensor> Projection::state(const std::string& name) const {
  return {{name + ".values", values_}, {name + ".by_column", by_column_}, {name + ".by_row", by_row_}};
}

}  // namespace tsrun::joint_decomposition
