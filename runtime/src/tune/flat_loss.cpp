#include "tsrun/tune/flat_loss.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"

#include <ATen/ops/zeros.h>

#include <algorithm>

namespace tsrun {

FlatLoss::FlatLoss(const SubspaceInputs& inputs, const std::string& who) : inputs_(inputs) {
  if (inputs.probe == nullptr || inputs.weights == nullptr) user_error("{}: needs the rows of a task", who);
}

std::vector<int64_t> FlatLoss::drawn_rows(Key key, int64_t count) const {
  std::vector<int64_t> rows = permutation(key, inputs_.probe->rows());
  rows.resize(static_cast<size_t>(std::min<int64_t>(count, std::ssize(rows))));
  return rows;
}

at::Tensor FlatLoss::gradient(const at::Tensor& theta, std::span<const int64_t> rows, int64_t row_batch) const {
  const Layout& layout = inputs_.parameters.layout;
  Weights weights = *inputs_.weights;
  const Weights own = unflatten(theta, layout);
  for (const std::string& name : own.names()) weights.set(name, own.at(name).to(weights.at(name).device()));
  at::Tensor sum = at::zeros({layout.total()}, at::kFloat);
  for (size_t first = 0; first < rows.size(); first += static_cast<size_t>(row_batch)) {
    check_interrupt();
    const auto batch = rows.subspan(first, std::min(rows.size() - first, static_cast<size_t>(row_batch)));
    const auto found = inputs_.probe->loss_and_gradient(weights, batch);
    sum.add_(flatten(found.gradient, layout).cpu(), static_cast<double>(batch.size()) / static_cast<double>(rows.size()));
  }
  return sum;
}

}  // namespace tsrun
