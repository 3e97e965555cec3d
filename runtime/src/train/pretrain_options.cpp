#include "tsrun/train/pretrain.h"

namespace tsrun {

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

}  // namespace tsrun
