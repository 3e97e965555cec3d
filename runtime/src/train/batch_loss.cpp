#include "train/batch_loss.h"

#include "train/backward.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun::training {
namespace {

/// The same batch for outputs in float64.
PackedBatch in_float64(PackedBatch batch) {
  if (batch.targets.is_floating_point()) batch.targets = batch.targets.to(at::kDouble);
  return batch;
}

}  // namespace

ParameterGroup* coordinate_group(Binding& binding) {
  auto& groups = binding.groups();
  const auto found = std::find_if(groups.begin(), groups.end(), [](const ParameterGroup& group) { return group.name == "z"; });
  return found == groups.end() ? nullptr : &*found;
}

BatchLoss::BatchLoss(const Family& family, Binding& binding, std::vector<MicroBatch> batches, LossOf loss_of)
    : family_(family), binding_(binding), batches_(std::move(batches)), loss_of_(std::move(loss_of)), rows_(batches_.size()) {
  if (!coordinate_group(binding)) internal_error("a loss at coordinates: the binding has none");
}

void BatchLoss::move_to(const at::Tensor& z) {
  const at::NoGradGuard no_grad;
  coordinate_group(binding_)->value.copy_(z);
  binding_.compose();
}

double BatchLoss::value(const at::Tensor& z) {
  const at::NoGradGuard no_grad;
  move_to(z);
  double sum = 0;
  for (const MicroBatch& part : batches_) {
    ++passes_.forward;
    sum += part.share * loss_of_(family_.forward(binding_.weights(), part.batch, part.options), part.batch).item<double>();
  }
  return sum;
}

/// Weights that record a graph for the coordinates alone.
Weights BatchLoss::coordinate_weights() const {
  const Layout& moved = binding_.subspace()->parameters().layout;
  Weights weights = binding_.weights();
  for (const std::string& name : binding_.weights().names())
    if (!moved.find(name)) weights.set(name, weights.at(name).detach());
  return weights;
}

/// The gradient gathered for z, cleared for the next.
at::Tensor BatchLoss::taken_gradient() {
  const at::NoGradGuard no_grad;
  binding_.gather_gradients();
  at::Tensor& gradient = coordinate_group(binding_)->gradient;
  const at::Tensor taken = gradient.to(at::kCPU, at::kDouble, /*non_blocking=*/false, /*copy=*/true);
  gradient.zero_();
  return taken;
}

/// Backward once a micro-batch, so that one graph at a time is alive.
LossAt::WithGradient BatchLoss::with_gradient(const at::Tensor& z) {
  move_to(z);
  if (first_) binding_.zero_gradients();
  const Weights weights = first_ ? binding_.weights() : coordinate_weights();
  double sum = 0;
  for (const MicroBatch& part : batches_) {
    ++passes_.forward, ++passes_.backward;
    sum += part.share * backpropagate(loss_of_(family_.forward(weights, part.batch, part.options), part.batch), part.share);
  }
  first_ = false;
  return {sum, taken_gradient()};
}

at::Tensor BatchLoss::outputs(const at::Tensor& z) {
  const at::NoGradGuard no_grad;
  move_to(z);
  std::vector<at::Tensor> parts;
  for (size_t i = 0; i < batches_.size(); ++i) {
    ++passes_.forward;
    parts.push_back(family_.forward(binding_.weights(), batches_[i].batch, batches_[i].options).logits.to(at::kDouble));
    rows_[i] = parts.back().size(0);
  }
  return at::cat(parts).cpu();
}

at::Tensor BatchLoss::of_outputs(const at::Tensor& y) {
  at::Tensor sum;
  int64_t first = 0;
  for (size_t i = 0; i < batches_.size(); first += rows_[i], ++i) {
    const Output output{y.narrow(0, first, rows_[i]).to(batches_[i].batch.targets.device()), {}, {}, {}};
    const at::Tensor loss = batches_[i].share * loss_of_(output, in_float64(batches_[i].batch));
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum;
}

at::Tensor BatchLoss::jacobian(const at::Tensor& z) {
  move_to(z);
  const Weights weights = coordinate_weights();
  std::vector<at::Tensor> rows;
  for (const MicroBatch& part : batches_) {
    const at::Tensor logits = family_.forward(weights, part.batch, part.options).logits.flatten();
    ++passes_.forward;
    for (int64_t i = 0; i < logits.numel(); ++i) {
      logits.select(0, i).backward({}, /*retain_graph=*/i + 1 < logits.numel());
      ++passes_.backward;
      rows.push_back(taken_gradient());
    }
  }
  return at::stack(rows);
}

at::Tensor BatchLoss::pull_back(const at::Tensor& z, const at::Tensor& u) {
  move_to(z);
  const Weights weights = coordinate_weights();
  int64_t first = 0;
  for (const MicroBatch& part : batches_) {
    const at::Tensor logits = family_.forward(weights, part.batch, part.options).logits;
    (logits * u.narrow(0, first, logits.size(0)).to(logits.device(), logits.scalar_type())).sum().backward();
    first += logits.size(0);
    ++passes_.forward, ++passes_.backward;
  }
  return taken_gradient();
}

}  // namespace tsrun::training
