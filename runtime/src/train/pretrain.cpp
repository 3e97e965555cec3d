#include "tsrun/train/pretrain.h"

#include "train/pretrain_batches.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/log.h"
#include "tsrun/train/optimizer.h"
#include "tsrun/train/schedule.h"
#include "tsrun/tune/binding.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace tsrun {
namespace {

constexpr int64_t kLogged = 20;    ///< intervals over a run
constexpr int64_t kHeldOut = 512;  ///< lines at most

struct HeldOut {
  double loss = 0, accuracy = 0;
};

HeldOut score(const Family& family, const Weights& weights, const PretrainBatches& batches) {
  const at::NoGradGuard no_grad;
  std::vector<int64_t> rows(static_cast<size_t>(batches.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  double loss = 0, right = 0, count = 0;
  for (size_t begin = 0; begin < rows.size(); begin += 64) {
    const auto batch = batches.make(std::span(rows).subspan(begin, std::min<size_t>(64, rows.size() - begin)), 0);
    const Output output = family.forward(weights, batch, {});
    const at::Tensor targets = batch.targets.masked_select(batch.targets.ge(0));
    loss += task_loss(family.head(), output, batch).item<double>() * static_cast<double>(targets.numel());
    right += output.logits.argmax(1).eq(targets).sum().item<double>();
    count += static_cast<double>(targets.numel());
  }
  return {loss / std::max(1.0, count), right / std::max(1.0, count)};
}

TuneOptions everything(const Options& options) {
  TuneOptions tune;
  tune.lr = tune.lr_embeddings = tune.lr_head = options.number("lr");
  tune.weight_decay = options.number("weight_decay");
  return tune;
}

/// Forward, backward and update for one batch; returns the loss.
double learn(const Family& family, Binding& binding, Optimizer& optimizer, const PackedBatch& batch, std::optional<Key> dropout,
             double factor, int64_t step) {
  binding.zero_gradients();
  ForwardOptions forward;
  forward.training = dropout.has_value();
  if (dropout) forward.dropout = *dropout;
  const at::Tensor loss = task_loss(family.head(), family.forward(binding.weights(), batch, forward), batch);
  const double value = loss.item<double>();
  if (!std::isfinite(value)) run_error("pre-training: the loss is {} at step {}", value, step + 1);
  loss.backward();
  binding.gather_gradients();
  clip_gradients(binding.groups(), 1.0);
  optimizer.step(factor);
  binding.after_update();
  return value;
}

}  // namespace

OptionTable pretrain_options() {
  return {
      {.name = "steps", .type = OptionType::integer, .fallback = 2000, .doc = "Optimiser steps.", .minimum = 1},
      {.name = "batch_size", .type = OptionType::integer, .fallback = 64, .doc = "Lines of one step.", .minimum = 1, .unit = "rows"},
      {.name = "lr",
       .type = OptionType::number,
       .fallback = 2e-3,
       .doc = "Highest learning rate; linear to 0 after the warm-up.",
       .minimum = 0},
      {.name = "weight_decay",
       .type = OptionType::number,
       .fallback = 0.01,
       .doc = "Decoupled decay of weights (not of biases and norms).",
       .minimum = 0},
      {.name = "max_length", .type = OptionType::integer, .fallback = 64, .doc = "Longer lines are cut.", .minimum = 4, .unit = "tokens"},
      {.name = "warmup_ratio",
       .type = OptionType::number,
       .fallback = 0.05,
       .doc = "Share of the steps in which the learning rate rises from 0.",
       .minimum = 0,
       .maximum = 1},
      {.name = "dropout", .type = OptionType::boolean, .fallback = true, .doc = "Drop out as the model's config says."},
      {.name = "masking",
       .type = OptionType::number,
       .fallback = 0.15,
       .doc = "Share of the tokens that are hidden; a causal model guesses all.",
       .minimum = 0.01,
       .maximum = 0.9},
  };
}

PretrainResult pretrain(Model start, const std::vector<std::string>& lines, const Options& options, Key key, at::Device device,
                        const std::string& title) {
  const auto held = std::min<size_t>(kHeldOut, lines.size() / 20);
  if (lines.size() < 20) user_error("pre-training needs at least 20 lines, found {}", lines.size());
  const int64_t length = std::min(options.integer("max_length"), start.family->max_positions());
  const double share = options.number("masking");
  const PretrainBatches batches(start, std::span(lines).first(lines.size() - held), length, share, key.split("masking"), device);
  const PretrainBatches unseen(start, std::span(lines).last(held), length, share, key.split("held-out masking"), device);

  const int64_t steps = options.integer("steps");
  const auto warmup = warmup_steps(options.number("warmup_ratio"), steps);
  Binding binding(*start.family, start.weights, everything(options), key.split("tune"), device);
  const auto optimizer = make_adamw(binding.groups(), {});
  Sampler sampler(key.split("data order"), batches.rows(), options.integer("batch_size"));
  PretrainResult result;
  Progress progress(title, steps, "steps");
  const int64_t interval = std::max<int64_t>(1, steps / kLogged);
  double sum = 0;
  for (int64_t step = 0; step < steps; ++step) {
    check_interrupt();
    const int64_t epoch = step / sampler.batches_per_epoch();
    const auto batch = batches.make(sampler.batch(epoch, step % sampler.batches_per_epoch()), epoch);
    const Key dropout = key.split("dropout").split(static_cast<uint64_t>(step));
    sum += learn(*start.family, binding, *optimizer, batch, options.flag("dropout") ? std::optional(dropout) : std::nullopt,
                 schedule_factor(LrScheduler::linear, step, steps, warmup), step);
    progress.advance();
    if ((step + 1) % interval != 0) continue;
    result.losses.push_back(sum / static_cast<double>(interval));
    progress.note(fmt::format("loss {:.3f}", result.losses.back()));
    sum = 0;
  }
  const HeldOut quality = score(*start.family, binding.weights(), unseen);
  result.held_out_loss = quality.loss;
  result.held_out_accuracy = quality.accuracy;
  progress.milestone(fmt::format("held-out loss {:.3f}  accuracy {:.3f}", quality.loss, quality.accuracy));
  result.model = std::move(start);
  result.model.weights = binding.snapshot();
  return result;
}

}  // namespace tsrun
