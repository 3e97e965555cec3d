#pragma once

#include "tsrun/data/batch.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace tsrun::training {

/// State of a recurrent model between consecutive batches of rows (train/streams.h). A row gets what the row before it left, where that
/// stood at the same place of the batch before and the row continues it; any other begins with zeros. An epoch, whose first rows follow no
/// row of the last batch, thus begins anew.
class CarriedState {
 public:
  /// State in front of `rows` of `split`, as `ForwardOptions::state`.
  std::vector<at::Tensor> before(const EncodedSplit& split, std::span<const int64_t> rows) const;
  /// `state` behind `rows`: `Output::state`.
  void take(std::span<const int64_t> rows, std::vector<at::Tensor> state);

  const std::vector<int64_t>& rows() const { return rows_; }
  const std::vector<at::Tensor>& tensors() const { return state_; }

 private:
  std::vector<int64_t> rows_;      ///< of the last batch
  std::vector<at::Tensor> state_;  ///< behind them, [rows, width] each
};

}  // namespace tsrun::training
