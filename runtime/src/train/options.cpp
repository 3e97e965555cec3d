#include "train/few_unknowns_options.h"
#include "tsrun/train/reading.h"
#include "tsrun/train/train.h"

namespace tsrun {
namespace {

OptionTable length_options() {
  return {
      {.name = "epochs",
       .type = OptionType::integer,
       .fallback = 3,
       .doc = "Passes over the training rows.",
       .minimum = 1,
       .maximum = 100000},
      {.name = "max_steps",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Optimiser steps in all, instead of `epochs`; 0: as `epochs` says.",
       .minimum = 0},
      {.name = "max_forward_passes",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Stop behind the step that reaches so many forward passes, a backward pass counted as two; 0: as epochs or max_steps say.",
       .minimum = 0},
      {.name = "batch_size",
       .type = OptionType::integer,
       .fallback = 32,
       .doc = "Rows of one forward pass.",
       .minimum = 1,
       .maximum = 65536,
       .unit = "rows"},
      {.name = "gradient_accumulation_steps",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "Forward passes whose gradients are averaged, by rows, into one step.",
       .minimum = 1,
       .maximum = 65536},
  };
}

OptionTable optimizer_options() {
  return {
      {.name = "optim",
       .type = OptionType::choice,
       .fallback = "adamw",
       .doc =
           "Optimiser. adafactor keeps of a matrix only means of its squared gradients by row and by column, takes the learning rate as it "
           "is (neither scaled by the parameters nor relative to the step), and limits each tensor's update itself: max_grad_norm = 0 "
           "goes with it. The others move at most 512 coordinates of a subspace and take no learning rate for them (docs/methods/"
           "few_unknowns.md): lbfgs, levenberg_marquardt and p_bfgs leave embeddings, pooler and head to AdamW; cma_es and spsa make "
           "forward passes alone, and all but the coordinates is frozen.",
       .choices = {"adamw", "sgd", "adafactor", "lbfgs", "levenberg_marquardt", "p_bfgs", "cma_es", "spsa"}},
      {.name = "adam_beta1",
       .type = OptionType::number,
       .fallback = 0.9,
       .doc = "Decay of AdamW's mean of gradients.",
       .minimum = 0,
       .maximum = 1},
      {.name = "adam_beta2",
       .type = OptionType::number,
       .fallback = 0.999,
       .doc = "Decay of AdamW's mean of squared gradients.",
       .minimum = 0,
       .maximum = 1},
      {.name = "adam_epsilon", .type = OptionType::number, .fallback = 1e-8, .doc = "Added to AdamW's denominator.", .minimum = 0},
      {.name = "momentum", .type = OptionType::number, .fallback = 0.0, .doc = "Momentum of SGD.", .minimum = 0, .maximum = 1},
      {.name = "clip_threshold",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "Root mean square to which Adafactor limits the update of each tensor, before the learning rate.",
       .minimum = 0.001},
      {.name = "decay_rate",
       .type = OptionType::number,
       .fallback = -0.8,
       .doc = "Step k of Adafactor keeps 1 - k^decay_rate of its means of squared gradients.",
       .maximum = 0},
      {.name = "eps1", .type = OptionType::number, .fallback = 1e-30, .doc = "Added to Adafactor's squared gradients.", .minimum = 1e-37},
  };
}

OptionTable rate_options() {
  return {
      {.name = "lr_scheduler_type",
       .type = OptionType::choice,
       .fallback = "linear",
       .doc = "Shape of the learning rates over the steps; linear and cosine end at 0.",
       .choices = {"linear", "cosine", "constant"}},
      {.name = "warmup_ratio",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Share of the steps in which the learning rates rise from 0.",
       .minimum = 0,
       .maximum = 1},
      {.name = "max_grad_norm",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "Joint norm to which gradients are clipped; 0: not clipped.",
       .minimum = 0},
  };
}

OptionTable target_options() {
  return {
      {.name = "label_smoothing_factor",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Share of a target spread evenly over all classes, of words over the vocabulary (of the training loss alone; a regression "
              "has none).",
       .minimum = 0,
       .maximum = 1},
      {.name = "accepted_answers",
       .type = OptionType::choice,
       .fallback = "random",
       .doc = "Of several accepted answers in words, the one that is trained on: drawn anew every epoch, or always the first.",
       .choices = {"random", "first"}},
  };
}

OptionTable loop_options() {
  return {
      {.name = "eval_every",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Evaluate every so many steps; 0: at the end of every epoch, -1: only at the end.",
       .minimum = -1,
       .unit = "steps"},
      {.name = "early_stop",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Stop after so many evaluations in a row without a new best; 0: never.",
       .minimum = 0,
       .unit = "evaluations"},
      {.name = "checkpoint_every",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Write a checkpoint for resuming every so many steps; 0: about every 20 seconds.",
       .minimum = 0,
       .unit = "steps"},
  };
}

OptionTable model_options() {
  return {
      {.name = "precision",
       .type = OptionType::choice,
       .fallback = "float32",
       .doc = "Of products with weights; weights, their updates and everything between products stay float32. bf16 pays on processors that "
              "multiply it themselves (AVX512-BF16, AMX) and on GPUs.",
       .choices = {"float32", "bf16"}},
      {.name = "gradient_checkpointing",
       .type = OptionType::boolean,
       .fallback = false,
       .doc =
           "Keep only what enters each layer and compute the rest again for the gradient: less memory, a third more arithmetic, the same "
           "numbers."},
      {.name = "dropout",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "Drop out as the model's config says: behind embeddings and blocks, in attention, before the head."},
      {.name = "mlm_probability",
       .type = OptionType::number,
       .fallback = 0.15,
       .doc = "Share of the tokens that a masked language model guesses.",
       .minimum = 0.01,
       .maximum = 0.9},
  };
}

}  // namespace

OptionTable train_options() {
  OptionTable table;
  for (const auto& part : {length_options, optimizer_options, training::few_unknowns_options, rate_options, target_options, loop_options,
                           model_options, text_options})
    table.include(part());
  return table;
}

}  // namespace tsrun
