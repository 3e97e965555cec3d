#include "train/step.h"

#include "tsrun/base/error.h"
#include "tsrun/model/model.h"

#include <ATen/Functions.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace tsrun {
namespace {

std::unique_ptr<Optimizer> make_optimizer(std::vector<ParameterGroup>& groups, const Options& options) {
  if (options.text("optim") == "sgd") return make_sgd(groups, {.momentum = options.number("momentum")});
  return make_adamw(
      groups, {.beta1 = options.number("adam_beta1"), .beta2 = options.number("adam_beta2"), .epsilon = options.number("adam_epsilon")});
}

std::string row_list(const std::vector<std::vector<int64_t>>& micro_batches) {
  std::vector<int64_t> rows;
  for (const auto& batch : micro_batches) rows.insert(rows.end(), batch.begin(), batch.end());
  std::sort(rows.begin(), rows.end());
  return fmt::format("{}", fmt::join(rows, ", "));
}

void require_finite(const char* what, double value, int64_t step, const std::vector<std::vector<int64_t>>& micro_batches) {
  if (std::isfinite(value)) return;
  run_error("step {}: the {} is {}; rows of the batch, from 0: {}. A smaller learning rate, a warm-up or a smaller max_grad_norm may help",
            step + 1, what, value, row_list(micro_batches));
}

}  // namespace

Stepper::Stepper(const Family& family, const EncodedSplit& split, Binding& binding, const Options& options, at::Device device)
    : family_(family),
      split_(split),
      binding_(binding),
      device_(device),
      max_grad_norm_(options.number("max_grad_norm")),
      label_smoothing_(options.number("label_smoothing_factor")),
      optimizer_(make_optimizer(binding.groups(), options)) {}

at::Tensor Stepper::loss_of(const Output& output, const PackedBatch& batch) const {
  if (label_smoothing_ == 0 || family_.head().kind != HeadKind::classification) return task_loss(family_.head(), output, batch);
  return at::cross_entropy_loss(output.logits, batch.targets, {}, at::Reduction::Mean, -100, label_smoothing_);
}

/// Adds the gradient of `share` times the mean loss of `rows`; returns that mean.
double Stepper::backward(const std::vector<int64_t>& rows, double share, Key dropout, StepReport& report) {
  const PackedRows packed = pack(split_, rows);
  report.tokens += packed.tokens();
  const PackedBatch batch = to_device(packed, family_.head(), device_);
  ForwardOptions forward;
  forward.training = true;
  forward.dropout = dropout;
  const Output output = family_.forward(binding_.weights(), batch, forward);
  const at::Tensor loss = loss_of(output, batch);
  const double value = loss.item<double>();
  if (std::isfinite(value)) (share == 1 ? loss : loss * share).backward();
  return value;
}

StepReport Stepper::run(int64_t step, const std::vector<std::vector<int64_t>>& micro_batches, Key key, double factor) {
  StepReport report;
  size_t rows = 0;
  for (const auto& batch : micro_batches) rows += batch.size();

  binding_.zero_gradients();
  // tune/events.h: weights_about_to_be_used stands here; then forward, loss, backward.
  for (size_t i = 0; i < micro_batches.size(); ++i) {
    const double share = static_cast<double>(micro_batches[i].size()) / static_cast<double>(rows);
    const double loss = backward(micro_batches[i], share, key.split("dropout").split(i), report);
    require_finite("loss", loss, step, micro_batches);
    report.loss += loss * share;
  }
  // gradients_ready: weights have their gradients, before masks and the projection onto z.
  binding_.gather_gradients();
  report.gradient_norm = clip_gradients(binding_.groups(), max_grad_norm_);
  require_finite("norm of the gradient", report.gradient_norm, step, micro_batches);
  // update_about_to_be_applied: what the optimiser will see.
  optimizer_->step(factor);
  binding_.after_update();
  return report;
}

}  // namespace tsrun
