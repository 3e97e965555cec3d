#include "experiment/taken_options.h"
#include "experiment/train_request.h"

#include "tsrun/train/train.h"

namespace tsrun::experiment {

using nlohmann::json;

/// What `tune = ts.within(basis, {…})` may say.
OptionTable within_options() {
  return {
      {.name = "subspace",
       .type = OptionType::artifact,
       .doc = "basis in which the layers are trained",
       .required = true,
       .choices = {"subspace"}},
      {.name = "lr",
       .type = OptionType::number,
       .fallback = 0.01,
       .doc =
           "learning rate of the coordinates; \"reach\": a rate for each group, such that under the schedule of all steps its coordinates "
           "can travel just as far as the trajectory's update lies (AdamW, which moves a coordinate by its rate a step at most)",
       .minimum = 0,
       .choices = {"text"}},
      {.name = "reach",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "of lr = \"reach\": so many times that distance",
       .minimum = 0.01},
      {.name = "reach_of",
       .type = OptionType::table,
       .doc =
           "update to be reached, for a basis that no trajectory is behind: a trajectory, whose update's length in each group is spread "
           "evenly over the coordinates, or that length as a number; absent: the basis's own trajectory, and of it the largest coordinate",
       .choices = {"number"}},
      {.name = "init",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "standard deviation of the coordinates' initial values; 0: they start at the origin",
       .minimum = 0},
      {.name = "ensemble",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "number of coordinate vectors, whose mean is used (the paper: 16)",
       .minimum = 1,
       .maximum = 1024},
      {.name = "embeddings",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "train the embeddings beside the coordinates (the paper does)"},
      {.name = "pooler", .type = OptionType::boolean, .fallback = true, .doc = "train the pooler"},
      {.name = "head", .type = OptionType::boolean, .fallback = true, .doc = "train the head"},
  };
}

OptionTable record_options() {
  return {
      {.name = "every",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "steps between points; 0: every epoch",
       .minimum = 0,
       .unit = "steps"},
      {.name = "parameters",
       .type = OptionType::table,
       .fallback = json{{"parts", {"encoder", "decoder"}}},
       .doc = "recorded parameters: {parts, layers, patterns, groups}"},
      {.name = "precision",
       .type = OptionType::choice,
       .fallback = "float32",
       .doc = "of the trajectory's rows on disk",
       .choices = {"float32", "bfloat16"}},
  };
}

OptionTable training_options() {
  OptionTable table = {
      {.name = "model", .type = OptionType::artifact, .doc = "from ts.model", .required = true, .choices = {"model"}},
      {.name = "task", .type = OptionType::artifact, .doc = "from ts.task", .required = true, .choices = {"task"}},
      {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "of data order, new parameters and dropout", .minimum = 0},
      {.name = "train",
       .type = OptionType::list,
       .doc =
           "parts to train; absent: all, or delta and head of a model with deltas (delta: with the model's own parameters that it trains)"},
      {.name = "tune", .type = OptionType::table, .doc = "ts.within(basis, {…}): trains the layers in a subspace"},
      {.name = "origin", .type = OptionType::table, .doc = "initial weights from other trainings: {solution or solutions, which, parts}"},
      {.name = "fresh", .type = OptionType::boolean, .fallback = false, .doc = "start from random weights instead of the pre-trained ones"},
      {.name = "reinit_layers",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "layers from the top that are drawn anew before the training, the pooler with them",
       .minimum = 0},
      {.name = "lr",
       .type = OptionType::number,
       .doc = "learning rate of encoder, decoder and embeddings; absent: the model's default",
       .minimum = 0},
      {.name = "lr_embeddings", .type = OptionType::number, .doc = "learning rate of the embeddings; absent: lr", .minimum = 0},
      {.name = "lr_head", .type = OptionType::number, .doc = "learning rate of pooler and head; absent: lr", .minimum = 0},
      {.name = "weight_decay",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "decoupled weight decay of all parameters but biases and norms",
       .minimum = 0},
      {.name = "zero", .type = OptionType::artifact, .doc = "mask of weights set to zero before training", .choices = {"mask"}},
      {.name = "hold", .type = OptionType::boolean, .fallback = true, .doc = "zeroed weights stay zero; false: only at the start"},
      {.name = "held", .type = OptionType::artifact, .doc = "mask of weights held at their pre-trained value", .choices = {"mask"}},
      {.name = "scope", .type = OptionType::artifact, .doc = "from ts.select: restricts the trained parameters", .choices = {"scope"}},
      {.name = "compact",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "keep gradients and moments of the scope's masked parameters for the chosen entries alone"},
      {.name = "cache_prefix",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "compute the output of the frozen bottom layers once per row, without dropout"},
      {.name = "cache_memory",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "memory for cache_prefix, beyond which rows lie on disk",
       .minimum = 0,
       .unit = "GiB"},
      {.name = "select",
       .type = OptionType::table,
       .doc = "ts.schedule(name, {…}), or a list of them: selectors that act during the training",
       .choices = {"list"}},
      {.name = "regularize", .type = OptionType::list, .doc = "{ts.regularizer(name, {…}), …}, in the order in which they act"},
      {.name = "record",
       .type = OptionType::table,
       .doc = "records a trajectory: ts.every \"epoch\" or ts.every(50), with parameters and precision"},
      {.name = "geometry_every",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "measures the geometry of embeddings before the first step, at these intervals and at the end, as `geometry` of the result; "
              "0: never",
       .minimum = 0,
       .unit = "steps"},
      {.name = "geometry_of",
       .type = OptionType::choice,
       .fallback = "input_embeddings",
       .doc = "measured embeddings: those of words, or the matrix behind the head's scores",
       .choices = {"input_embeddings", "output_embeddings"}},
      {.name = "eval_split", .type = OptionType::text, .fallback = "dev", .doc = "split to evaluate on"},
      {.name = "keep",
       .type = OptionType::choice,
       .fallback = "all",
       .doc = "weights to keep: all (best, last, mean), last, none",
       .choices = {"all", "last", "none"}},
  };
  table.include(row_options());
  const OptionTable trainer = train_options();
  for (Option option : trainer.all()) {
    if (option.name == "epochs") option.fallback = nullptr, option.doc += "; absent: the model's default";
    table.add(option);
  }
  return table;
}

}  // namespace tsrun::experiment
