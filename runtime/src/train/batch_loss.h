#pragma once

#include "train/passes.h"
#include "tsrun/train/few_unknowns.h"
#include "tsrun/tune/binding.h"

#include <functional>
#include <vector>

namespace tsrun::training {

/// Rows of one forward pass, and the pass: its dropout key makes the same masks every time.
struct MicroBatch {
  PackedBatch batch;
  double share = 1;  ///< of the step's loss
  ForwardOptions options;
};

/// The loss of one step's rows as a function of a binding's coordinates. Every call moves the binding there; the caller moves it to where
/// it is to stay. The first call of `with_gradient` fills the gradients of all groups; to every other call the groups beside the
/// coordinates are constants.
class BatchLoss final : public LossAt {
 public:
  using LossOf = std::function<at::Tensor(const Output& output, const PackedBatch& batch)>;
  BatchLoss(const Family& family, Binding& binding, std::vector<MicroBatch> batches, LossOf loss_of);

  double value(const at::Tensor& z) override;
  WithGradient with_gradient(const at::Tensor& z) override;
  at::Tensor outputs(const at::Tensor& z) override;
  at::Tensor of_outputs(const at::Tensor& y) override;
  at::Tensor jacobian(const at::Tensor& z) override;
  at::Tensor pull_back(const at::Tensor& z, const at::Tensor& u) override;

  Passes passes() const { return passes_; }

 private:
  void move_to(const at::Tensor& z);
  Weights coordinate_weights() const;
  at::Tensor taken_gradient();

  const Family& family_;
  Binding& binding_;
  std::vector<MicroBatch> batches_;
  LossOf loss_of_;
  bool first_ = true;          ///< no gradient has been asked for
  std::vector<int64_t> rows_;  ///< of each micro-batch's outputs, once `outputs` has run
  Passes passes_;
};

/// The group of a binding's coordinates; null in full space.
ParameterGroup* coordinate_group(Binding& binding);

}  // namespace tsrun::training
