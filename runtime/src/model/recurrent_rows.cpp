#include "model/recurrent_rows.h"

#include "tsrun/base/operators.h"

#include <algorithm>
#include <numeric>

namespace tsrun::model {
namespace {

at::Tensor on_device(const std::vector<int64_t>& values, at::Device device) { return at::tensor(values, at::kLong).to(device); }

/// The permutation that undoes `order`.
std::vector<int64_t> undoing(const std::vector<int64_t>& order) {
  std::vector<int64_t> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  return inverse;
}

}  // namespace

RecurrentRows::RecurrentRows(const std::vector<int64_t>& offsets, at::Device device) {
  std::vector<int64_t> row_of_token;
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    lengths_.push_back(offsets[row + 1] - offsets[row]);
    row_of_token.insert(row_of_token.end(), static_cast<size_t>(lengths_.back()), static_cast<int64_t>(row));
  }
  row_of_token_ = on_device(row_of_token, device);
  even_ = std::all_of(lengths_.begin(), lengths_.end(), [&](int64_t length) { return length == lengths_.front(); });
  if (!even_) order_by_time(offsets, device);
}

void RecurrentRows::order_by_time(const std::vector<int64_t>& offsets, at::Device device) {
  std::vector<int64_t> by_length(lengths_.size()), tokens, counts;
  std::iota(by_length.begin(), by_length.end(), int64_t{0});
  const auto length_of = [&](int64_t row) { return lengths_[static_cast<size_t>(row)]; };
  std::stable_sort(by_length.begin(), by_length.end(), [&](int64_t a, int64_t b) { return length_of(a) > length_of(b); });
  for (int64_t time = 0; time < length_of(by_length.front()); ++time) {
    const size_t before = tokens.size();
    for (const int64_t row : by_length)
      if (time < length_of(row)) tokens.push_back(offsets[static_cast<size_t>(row)] + time);
    counts.push_back(static_cast<int64_t>(tokens.size() - before));
  }
  tokens_ = on_device(tokens, device);
  places_ = on_device(undoing(tokens), device);
  by_length_ = on_device(by_length, device);
  rank_ = on_device(undoing(by_length), device);
  counts_ = at::tensor(counts, at::kLong);
}

RecurrentRows::Result RecurrentRows::lstm(const at::Tensor& x, const at::Tensor& hidden, const at::Tensor& cell,
                                          const std::array<at::Tensor, 4>& weights) const {
  if (even_) return even_lstm(x, {hidden.unsqueeze(0), cell.unsqueeze(0)}, weights);
  return uneven_lstm(x, {hidden.index_select(0, by_length_).unsqueeze(0), cell.index_select(0, by_length_).unsqueeze(0)}, weights);
}

/// Kernels keep what backward needs only in training mode; LibTorch's own dropout stays off.
RecurrentRows::Result RecurrentRows::even_lstm(const at::Tensor& x, const std::vector<at::Tensor>& state,
                                               const std::array<at::Tensor, 4>& weights) const {
  const at::Tensor by_row = x.reshape({rows(), lengths_.front(), x.size(1)});
  const auto [output, hidden, cell] = at::lstm(by_row, state, weights, /*has_biases=*/true, /*num_layers=*/1, /*dropout=*/0,
                                               /*train=*/at::GradMode::is_enabled(), /*bidirectional=*/false, /*batch_first=*/true);
  return {output.reshape({x.size(0), output.size(2)}), hidden.select(0, 0), cell.select(0, 0)};
}

RecurrentRows::Result RecurrentRows::uneven_lstm(const at::Tensor& x, const std::vector<at::Tensor>& state,
                                                 const std::array<at::Tensor, 4>& weights) const {
  const auto [output, hidden, cell] = at::lstm(x.index_select(0, tokens_), counts_, state, weights, /*has_biases=*/true, /*num_layers=*/1,
                                               /*dropout=*/0, /*train=*/at::GradMode::is_enabled(), /*bidirectional=*/false);
  return {output.index_select(0, places_), hidden.select(0, 0).index_select(0, rank_), cell.select(0, 0).index_select(0, rank_)};
}

}  // namespace tsrun::model
