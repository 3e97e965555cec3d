#include "train/step.h"

#include "model/finite.h"
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
  if (options.text("optim") == "adafactor") {
    return make_adafactor(
        groups,
        {.clip_threshold = options.number("clip_threshold"), .decay_rate = options.number("decay_rate"), .eps1 = options.number("eps1")});
  }
  return make_adamw(
      groups, {.beta1 = options.number("adam_beta1"), .beta2 = options.number("adam_beta2"), .epsilon = options.number("adam_epsilon")});
}

std::string row_list(const EncodedSplit& split, const std::vector<std::vector<int64_t>>& micro_batches) {
  std::vector<int64_t> rows;
  for (const auto& batch : micro_batches)
    for (const int64_t row : batch) rows.push_back(split.alternatives.empty() ? row : split.examples[static_cast<size_t>(row)]);
  std::sort(rows.begin(), rows.end());
  return fmt::format("{}", fmt::join(rows, ", "));
}

/// The weight that is to blame, where there is one.
std::string blamed(const Weights& weights) {
  const auto name = first_not_finite(weights);
  return name ? fmt::format(", and '{}' holds numbers that are not finite", *name) : "";
}

void require_finite_step(const char* what, double value, int64_t step, const Weights& weights, const EncodedSplit& split,
                         const std::vector<std::vector<int64_t>>& micro_batches) {
  if (std::isfinite(value)) return;
  run_error(
      "step {}: the {} is {}{}; rows of the batch, from 0: {}. A smaller learning rate, a warm-up or a smaller max_grad_norm may help",
      step + 1, what, value, blamed(weights), row_list(split, micro_batches));
}

/// Rows, or tokens with a target.
double judged_in(const PackedRows& rows) {
  if (rows.token_targets.empty()) return static_cast<double>(rows.rows());
  const auto without = std::count(rows.token_targets.begin(), rows.token_targets.end(), no_target);
  return static_cast<double>(static_cast<int64_t>(rows.token_targets.size()) - without);
}

}  // namespace

Stepper::Stepper(const Family& family, const EncodedSplit& split, Binding& binding, const Options& options, at::Device device,
                 std::optional<Masking> masking)
    : family_(family),
      split_(split),
      binding_(binding),
      device_(device),
      masking_(std::move(masking)),
      max_grad_norm_(options.number("max_grad_norm")),
      label_smoothing_(options.number("label_smoothing_factor")),
      precision_(options.text("precision") == "bf16" ? Precision::bfloat16 : Precision::float32),
      gradient_checkpointing_(options.flag("gradient_checkpointing")),
      optimizer_(make_optimizer(binding.groups(), options)) {}

/// transformers' LabelSmoother: of every target with a class, the share `label_smoothing_factor` is spread evenly over all classes.
at::Tensor Stepper::loss_of(const Output& output, const PackedBatch& batch) const {
  if (label_smoothing_ == 0 || output.logits.size(0) == 0) return task_loss(family_.head(), output, batch);
  const at::Tensor targets =
      output.logits.size(0) == batch.targets.size(0) ? batch.targets : batch.targets.masked_select(batch.targets != no_target);
  return at::cross_entropy_loss(output.logits, targets, {}, at::Reduction::Mean, no_target, label_smoothing_);
}

PackedRows Stepper::packed(const std::vector<int64_t>& rows, int64_t epoch) const {
  PackedRows packed = pack(split_, rows);
  if (masking_) packed.token_targets = masking_->apply(packed, epoch);
  return packed;
}

/// Adds the gradient of `share` times the mean loss of `rows`; returns that mean.
double Stepper::backward(const PackedRows& rows, double share, Key dropout) {
  const PackedBatch batch = to_device(rows, family_.head(), device_);
  ForwardOptions forward;
  forward.training = true;
  forward.dropout = dropout;
  forward.precision = precision_;
  forward.gradient_checkpointing = gradient_checkpointing_;
  const Output output = family_.forward(binding_.weights(), batch, forward);
  const at::Tensor loss = loss_of(output, batch);
  const double value = loss.item<double>();
  if (std::isfinite(value)) (share == 1 ? loss : loss * share).backward();
  return value;
}

StepReport Stepper::run(When when, const std::vector<std::vector<int64_t>>& micro_batches, Key key, double factor) {
  StepReport report;
  std::vector<PackedRows> batches;
  double judged = 0;  // rows, or tokens: what the loss is a mean of
  for (const auto& rows : micro_batches) {
    batches.push_back(packed(rows, when.epoch));
    judged += judged_in(batches.back());
    report.tokens += batches.back().tokens() + static_cast<int64_t>(batches.back().decoder_ids.size());
  }

  binding_.zero_gradients();
  // tune/events.h: weights_about_to_be_used stands here; then forward, loss, backward.
  for (size_t i = 0; i < batches.size(); ++i) {
    const double share = judged > 0 ? judged_in(batches[i]) / judged : 0;
    const double loss = backward(batches[i], share, key.split("dropout").split(i));
    require_finite_step("loss", loss, when.step, binding_.weights(), split_, micro_batches);
    report.loss += loss * share;
  }
  // gradients_ready: weights have their gradients, before masks and the projection onto z.
  binding_.gather_gradients();
  report.gradient_norm = clip_gradients(binding_.groups(), max_grad_norm_);
  require_finite_step("norm of the gradient", report.gradient_norm, when.step, binding_.weights(), split_, micro_batches);
  // update_about_to_be_applied: what the optimiser will see.
  optimizer_->step(factor);
  binding_.after_update();
  return report;
}

}  // namespace tsrun
