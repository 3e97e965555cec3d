#include "train/carried_state.h"

#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun::training {

std::vector<at::Tensor> CarriedState::before(const EncodedSplit& split, std::span<const int64_t> rows) const {
  std::vector<int64_t> going_on;
  for (size_t place = 0; place < std::min(rows.size(), rows_.size()); ++place) {
    const bool next = rows[place] == rows_[place] + 1 && split.continues.at(static_cast<size_t>(rows[place]));
    if (next) going_on.push_back(static_cast<int64_t>(place));
  }
  if (going_on.empty()) return {};
  std::vector<at::Tensor> state;
  for (const at::Tensor& last : state_) {
    const at::Tensor places = at::tensor(going_on, at::kLong).to(last.device());
    const at::Tensor anew = at::zeros({static_cast<int64_t>(rows.size()), last.size(1)}, last.options());
    state.push_back(anew.index_copy(0, places, last.index_select(0, places)));
  }
  return state;
}

void CarriedState::take(std::span<const int64_t> rows, std::vector<at::Tensor> state) {
  rows_.assign(rows.begin(), rows.end());
  state_ = std::move(state);
}

}  // namespace tsrun::training
