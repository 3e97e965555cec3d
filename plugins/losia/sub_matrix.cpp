#include "sub_matrix.h"

#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"

#include <algorithm>

namespace tsrun::losia {
namespace {

/// bool, of the dimension's length
struct Choice {
  at::Tensor rows, columns;

  at::Tensor mask() const { return rows.unsqueeze(1).logical_and(columns.unsqueeze(0)); }
};

at::Tensor largest_sums(const at::Tensor& scores, int64_t summed, int64_t count) { return largest_elements(scores.sum(summed), count); }

at::Tensor first_of(const std::vector<int64_t>& order, int64_t count) {
  at::Tensor chosen = at::zeros({static_cast<int64_t>(order.size())}, at::kBool);
  for (int64_t i = 0; i < count; ++i) chosen[order[static_cast<size_t>(i)]] = true;
  return chosen;
}

}  // namespace

at::Tensor best_sub_matrix(const at::Tensor& scores, int64_t rows, int64_t columns) {
  const at::Tensor by_row = largest_sums(scores, 1, rows), by_column = largest_sums(scores, 0, columns);
  const Choice choices[] = {{by_row, by_column},
                            {by_row, largest_sums(scores * by_row.unsqueeze(1), 0, columns)},
                            {largest_sums(scores * by_column.unsqueeze(0), 1, rows), by_column}};
  at::Tensor best;
  double most = 0;
  for (const Choice& choice : choices) {
    const at::Tensor mask = choice.mask();
    const double held = (scores * mask).sum(at::kDouble).item<double>();
    if (best.defined() && held <= most) continue;
    best = mask;
    most = held;
  }
  return best;
}

at::Tensor random_sub_matrix(const std::vector<int64_t>& shape, int64_t rows, int64_t columns, Key key) {
  return Choice{first_of(permutation(key.split("rows"), shape[0]), rows), first_of(permutation(key.split("columns"), shape[1]), columns)}
      .mask();
}

}  // namespace tsrun::losia
