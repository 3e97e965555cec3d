#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/batch.h"
#include "tsrun/train/optimizer.h"
#include "tsrun/tune/binding.h"

#include <memory>
#include <vector>

namespace tsrun {

struct StepReport {
  double loss = 0;           ///< mean over the step's rows
  double gradient_norm = 0;  ///< before clipping
  int64_t tokens = 0;
};

/// One optimiser step: forward, backward, clip, update.
class Stepper {
 public:
  Stepper(const Family& family, const EncodedSplit& split, Binding& binding, const Options& options, at::Device device);
  /// `key` is the step's own; `factor` the schedule's value. @throws Error(run) on a non-finite loss or gradient, naming `step` and rows.
  StepReport run(int64_t step, const std::vector<std::vector<int64_t>>& micro_batches, Key key, double factor);
  Optimizer& optimizer() { return *optimizer_; }

 private:
  double backward(const std::vector<int64_t>& rows, double share, Key dropout, StepReport& report);
  at::Tensor loss_of(const Output& output, const PackedBatch& batch) const;

  const Family& family_;
  const EncodedSplit& split_;
  Binding& binding_;
  at::Device device_;
  double max_grad_norm_ = 0, label_smoothing_ = 0;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace tsrun
