#include "train/step.h"

#include "train/backward.h"
#include "train/batch_loss.h"
#include "train/finite_step.h"
#include "train/solver.h"
#include "train/streams.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tsrun::training {
namespace {

/// Rows, or tokens with a target.
double judged_in(const PackedRows& rows) {
  if (rows.token_targets.empty()) return static_cast<double>(rows.rows());
  const auto without = std::count(rows.token_targets.begin(), rows.token_targets.end(), no_target);
  return static_cast<double>(static_cast<int64_t>(rows.token_targets.size()) - without);
}

}  // namespace

Stepper::Stepper(const Family& family, const EncodedSplit& split, Binding& binding, const TrainSettings& settings, at::Device device,
                 StepPlugins& plugins, std::optional<Masking> masking)
    : family_(family),
      split_(split),
      binding_(binding),
      device_(device),
      plugins_(plugins),
      masking_(std::move(masking)),
      max_grad_norm_(settings.max_grad_norm),
      label_smoothing_(settings.label_smoothing),
      precision_(settings.precision),
      gradient_checkpointing_(settings.gradient_checkpointing),
      dropout_(settings.dropout),
      needs_whole_tensors_(settings.needs_whole_tensors()),
      optimizer_(make_optimizer(binding.groups(), settings)),
      solver_(make_solver(settings)),
      carries_(has_continued_rows(split)) {}

/// transformers' LabelSmoother: of every target with a class, the share `label_smoothing_factor` is spread evenly over all classes.
at::Tensor Stepper::loss_of(const Output& output, const PackedBatch& batch) const {
  if (label_smoothing_ == 0 || output.logits.size(0) == 0) return task_loss(family_.head(), output, batch);
  const at::Tensor targets =
      output.logits.size(0) == batch.targets.size(0) ? batch.targets : batch.targets.masked_select(batch.targets != no_target);
  return at::cross_entropy_loss(output.logits, targets, {}, at::Reduction::Mean, no_target, label_smoothing_);
}

PackedRows Stepper::packed(const std::vector<int64_t>& rows, int64_t epoch) const {
  PackedRows packed = pack_batch(split_, rows);
  if (masking_) packed.token_targets = masking_->apply(packed, epoch);
  return packed;
}

ForwardOptions Stepper::forward_options(Key dropout) const {
  ForwardOptions forward = training_pass(dropout, precision_, gradient_checkpointing_);
  forward.training = dropout_;
  forward.state = state_;
  if (prefix_) forward.from_layer = prefix_->layers(), forward.from_hidden = prefix_states_;
  return forward;
}

/// Forward pass, task loss, and what the plugins add to it. `pass` must live until backward has run: recomputed layers call its hooks.
at::Tensor Stepper::loss_with_plugins(Step& step, ForwardPass& pass) {
  pass.loss_of = [this, &pass](const Output& output) { return loss_of(output, pass.batch); };
  const Key key = step.key;
  pass.again = [this, &step, &pass, key, extras = uint64_t{0}](Key dropout,
                                                               const std::function<void(Weights&, ForwardOptions&)>& change) mutable {
    ForwardPass extra{pass.batch, pass.share, pass.number, true, step.weights, forward_options(dropout), {}, {}, {}, {}, pass.loss_of};
    extra.again = [](Key, const auto&) -> Output { run_error("a plugin runs the batch again inside an extra pass"); };
    plugins_.before_forward(step, extra, key.split("again").split(static_cast<uint64_t>(pass.number)).split(extras++));
    if (change) change(extra.weights, extra.options);
    refuse_changed_prefix(step, extra);
    const Output output = family_.forward(extra.weights, pass.batch, extra.options);
    const at::Tensor& made = output.logits.defined() ? output.logits : output.hidden;
    extra_ += {1, made.requires_grad() ? 1 : 0};
    return output;
  };
  if (plugins_.wants().hidden_states) pass.options.hidden_states = &pass.hidden_states;
  plugins_.before_forward(step, pass, key);
  refuse_changed_prefix(step, pass);
  pass.output = family_.forward(pass.weights, pass.batch, pass.options);
  pass.task_loss = loss_of(pass.output, pass.batch);
  const at::Tensor more = plugins_.batch_loss(step, pass);
  return more.defined() ? pass.task_loss + more : pass.task_loss;
}

void Stepper::carry(const PackedRows& packed, const Output& output) {
  if (carries_) carried_.take(packed.row_numbers, output.state);
}

/// Adds the gradient of `share` times the mean loss of `packed`; returns that mean.
double Stepper::backward(const PackedRows& packed, double share, size_t number, Key dropout, Step& step) {
  const PackedBatch batch = to_device(packed, family_.head(), device_);
  if (prefix_) prefix_states_ = prefix_->hidden(binding_.weights(), packed.row_numbers);
  if (carries_) state_ = carried_.before(split_, packed.row_numbers);
  std::optional<ForwardPass> pass;
  at::Tensor loss;
  if (plugins_.empty()) {
    const Output output = family_.forward(binding_.weights(), batch, forward_options(dropout));
    carry(packed, output);
    loss = loss_of(output, batch);
  } else {
    pass.emplace(ForwardPass{batch, share, static_cast<int>(number), false, step.weights, forward_options(dropout), {}, {}, {}, {}, {}});
    loss = loss_with_plugins(step, *pass);
    carry(packed, pass->output);
  }
  return backpropagate(loss, share);
}

void Stepper::add_step_loss(Step& step, StepReport& report) {
  const at::Tensor loss = plugins_.step_loss(step);
  if (!loss.defined()) return;
  report.loss += loss.item<double>();
  if (loss.requires_grad()) loss.backward();
}

Step Stepper::begin_step(const When& when, Key key) const {
  return {when.step, when.planned, when.epochs_done, key.split("plugins"), family_, binding_.weights(), {}, 1, when.ends_epoch, nullptr};
}

/// Gradients of the others are those at the z that the step began with; z's own is spent.
void Stepper::solve(const When& when, const std::vector<PackedRows>& batches, double judged, Key key, double factor, StepReport& report) {
  std::vector<MicroBatch> parts;
  for (size_t i = 0; i < batches.size(); ++i) {
    if (prefix_) prefix_states_ = prefix_->hidden(binding_.weights(), batches[i].row_numbers);
    parts.push_back({to_device(batches[i], family_.head(), device_), judged > 0 ? judged_in(batches[i]) / judged : 0,
                     forward_options(key.split("dropout").split(i))});
  }
  BatchLoss loss(family_, binding_, std::move(parts),
                 [this](const Output& output, const PackedBatch& batch) { return loss_of(output, batch); });
  ParameterGroup& coordinates = *coordinate_group(binding_);
  at::Tensor z = coordinates.value.to(at::kCPU, at::kDouble, /*non_blocking=*/false, /*copy=*/true);
  const FewUnknowns::Made made = solver_->step(loss, z, key.split("solver"));
  report.loss = made.loss;
  report.gradient_norm = made.gradient_norm;
  report.passes = loss.passes();
  const at::NoGradGuard no_grad;
  coordinates.value.copy_(z);
  if (coordinates.gradient.defined() && std::isfinite(made.loss)) {
    clip_gradients(binding_.groups(), max_grad_norm_);
    Step step = begin_step(when, key);
    update(step, factor);
  }
  binding_.after_update();
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

  if (solver_) {
    solve(when, batches, judged, key, factor, report);
    require_finite_step("loss", report.loss, when.step, binding_.weights(), split_, micro_batches);
    require_finite_step("norm of the gradient", report.gradient_norm, when.step, binding_.weights(), split_, micro_batches);
    report.work = work_in(when.epoch, report.passes, batches.size());
    return report;
  }
  const bool plugged = !plugins_.empty();
  Step step = begin_step(when, key);
  if (plugged) {
    if (const auto scope = plugins_.scope(step)) rescope(*scope);
    step.blocks = binding_.blocks(factor, plugins_.wants().origin);
  }
  binding_.zero_gradients();
  extra_ = {};
  for (size_t i = 0; i < batches.size(); ++i) {
    const double share = judged > 0 ? judged_in(batches[i]) / judged : 0;
    const double loss = backward(batches[i], share, i, key.split("dropout").split(i), step);
    require_finite_step("loss", loss, when.step, binding_.weights(), split_, micro_batches);
    report.loss += loss * share;
  }
  report.passes = {static_cast<int64_t>(batches.size()), static_cast<int64_t>(batches.size())};
  report.passes += extra_;
  report.work = work_in(when.epoch, report.passes, batches.size());
  if (plugged) {
    add_step_loss(step, report);
    require_finite_step("loss", report.loss, when.step, binding_.weights(), split_, micro_batches);
    plugins_.after_backward(step);
    if (const auto scope = plugins_.scope_after_backward(step)) {
      rescope(*scope);
      step.blocks = binding_.blocks(factor, plugins_.wants().origin);
    }
  }
  binding_.gather_gradients();
  report.gradient_norm = clip_gradients(binding_.groups(), max_grad_norm_);
  require_finite_step("norm of the gradient", report.gradient_norm, when.step, binding_.weights(), split_, micro_batches);
  if (plugged) plugins_.before_update(step);
  update(step, factor);
  if (plugged) {
    for (Block& block : step.blocks) block.rate *= step.rate_factor * block.rate_factor;
    binding_.compose();
    plugins_.after_update(step);
  }
  binding_.after_update();
  if (plugged && when.ends_epoch) plugins_.epoch_ended(step);
  return report;
}

}  // namespace tsrun::training
