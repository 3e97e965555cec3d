#include "experiment/train_request.h"
#include "tsrun/train/train.h"

namespace tsrun {

using nlohmann::json;

/// What `tune = ts.within(basis, {…})` may say.
OptionTable within_options() {
  return {
      {.name = "subspace", .type = OptionType::artifact, .doc = "basis that the layers move in", .required = true, .choices = {"subspace"}},
      {.name = "lr", .type = OptionType::number, .fallback = 0.01, .doc = "learning rate of the coordinates", .minimum = 0},
      {.name = "init",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "standard deviation of the coordinates' first values; 0 starts at the origin",
       .minimum = 0},
      {.name = "ensemble",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "copies of the coordinates that are averaged (the paper: 16)",
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
       .doc = "which parameters: parts, layers, patterns, groups"},
      {.name = "precision",
       .type = OptionType::choice,
       .fallback = "float32",
       .doc = "of the rows on disk",
       .choices = {"float32", "bfloat16"}},
  };
}

OptionTable training_options() {
  OptionTable table = {
      {.name = "model", .type = OptionType::artifact, .doc = "from ts.model", .required = true, .choices = {"model"}},
      {.name = "task", .type = OptionType::artifact, .doc = "from ts.task", .required = true, .choices = {"task"}},
      {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "decides data order, fresh weights, dropout", .minimum = 0},
      {.name = "train",
       .type = OptionType::list,
       .doc = "parts that are trained; absent: all of them, or delta and head of a model with deltas (and what those train beside)"},
      {.name = "tune", .type = OptionType::table, .doc = "ts.within(basis, {…}): the layers move in a subspace"},
      {.name = "origin", .type = OptionType::table, .doc = "start from another training: {solution, which, parts}"},
      {.name = "fresh", .type = OptionType::boolean, .fallback = false, .doc = "start from random weights instead of the pre-trained ones"},
      {.name = "lr",
       .type = OptionType::number,
       .doc = "learning rate of encoder, decoder and embeddings; absent: the model's default",
       .minimum = 0},
      {.name = "lr_embeddings", .type = OptionType::number, .doc = "learning rate of the embeddings; absent: lr", .minimum = 0},
      {.name = "lr_head", .type = OptionType::number, .doc = "learning rate of pooler and head; absent: lr", .minimum = 0},
      {.name = "weight_decay",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "decoupled, of weights (not of biases and norms)",
       .minimum = 0},
      {.name = "zero", .type = OptionType::artifact, .doc = "mask of weights set to zero before training", .choices = {"mask"}},
      {.name = "hold", .type = OptionType::boolean, .fallback = true, .doc = "zeroed weights stay zero; false: only at the start"},
      {.name = "held", .type = OptionType::artifact, .doc = "mask of weights that keep their pre-trained value", .choices = {"mask"}},
      {.name = "scope", .type = OptionType::artifact, .doc = "from ts.select: of what is trained, less", .choices = {"scope"}},
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
       .doc = "ts.schedule(name, {…}), or a list of them: selectors that choose during the training",
       .choices = {"list"}},
      {.name = "regularize", .type = OptionType::list, .doc = "{ts.regularizer(name, {…}), …}: they act in this order"},
      {.name = "record",
       .type = OptionType::table,
       .doc = "record a trajectory: ts.every \"epoch\" or ts.every(50), with parameters and precision"},
      {.name = "eval_split", .type = OptionType::text, .fallback = "dev", .doc = "split that is evaluated"},
      {.name = "rows",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "use only this many training rows, drawn under the seed-independent key; 0: all",
       .minimum = 0},
      {.name = "keep",
       .type = OptionType::choice,
       .fallback = "all",
       .doc = "weights that are kept: all (best, last, mean), last, none",
       .choices = {"all", "last", "none"}},
  };
  const OptionTable trainer = train_options();
  for (Option option : trainer.all()) {
    if (option.name == "epochs") option.fallback = nullptr, option.doc += "; absent: the model's default";
    table.add(option);
  }
  return table;
}

}  // namespace tsrun
