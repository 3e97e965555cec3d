#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace tsrun::model {

/// Packed rows as LibTorch's LSTM reads them: rows of one length as [rows, time, width], others by time step, longest row first.
class RecurrentRows {
 public:
  /// `offsets`: beginnings of rows, and the end; every row has at least one token.
  RecurrentRows(const std::vector<int64_t>& offsets, at::Device device);

  int64_t rows() const { return static_cast<int64_t>(lengths_.size()); }
  /// One entry of `of_rows` [rows, …] for each token of its row, [tokens, …].
  at::Tensor spread(const at::Tensor& of_rows) const { return of_rows.index_select(0, row_of_token_); }

  struct Result {
    at::Tensor output;        ///< [tokens, width], connected to autograd
    at::Tensor hidden, cell;  ///< [rows, width], behind the last token of each row
  };
  /// One layer over `x` [tokens, inputs] from the state `hidden`, `cell` [rows, width]. `weights`: weight_ih, weight_hh, bias_ih, bias_hh
  /// as torch.nn.LSTM has them.
  Result lstm(const at::Tensor& x, const at::Tensor& hidden, const at::Tensor& cell, const std::array<at::Tensor, 4>& weights) const;

 private:
  Result even_lstm(const at::Tensor& x, const std::vector<at::Tensor>& state, const std::array<at::Tensor, 4>& weights) const;
  Result uneven_lstm(const at::Tensor& x, const std::vector<at::Tensor>& state, const std::array<at::Tensor, 4>& weights) const;
  void order_by_time(const std::vector<int64_t>& offsets, at::Device device);

  std::vector<int64_t> lengths_;
  bool even_ = true;
  at::Tensor row_of_token_;
  /// Of uneven rows: token at each place of the order by time and the other way round, rows by length and the other way round, and rows in
  /// each time step (on the host).
  at::Tensor tokens_, places_, by_length_, rank_, counts_;
};

}  // namespace tsrun::model
