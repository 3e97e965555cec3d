#include "settings.h"

namespace tsrun::joint_decomposition {
namespace {

/// What the authors' scripts set (single-task and multi-task).
nlohmann::json preset(const std::string& name) {
  if (name == "release") return {{"dim", 4}, {"steps", 100000}, {"lr", 1e-4}, {"gamma", 0.1}, {"eval_every", 1000}};
  return {{"dim", 100}, {"steps", 75000}, {"lr", 1e-4}, {"gamma", 10.0}, {"eval_every", 1000}};
}

}  // namespace

OptionTable option_table() {
  return {
      {.name = "preset",
       .type = OptionType::choice,
       .fallback = "release",
       .doc = "Source of defaults: the release's single-task or multi-task script.",
       .choices = {"release", "release-multi-task"}},
      {.name = "fit",
       .type = OptionType::choice,
       .fallback = "train",
       .doc = "Decoders: trained, a joint PCA of the solutions, or random (controls; neither needs tasks).",
       .choices = {"train", "pca", "random"}},
      {.name = "dim", .type = OptionType::integer, .doc = "Dimension of a code (preset: 4, 100).", .minimum = 1, .maximum = 100000},
      {.name = "steps", .type = OptionType::integer, .doc = "Updates (preset: 100000, 75000).", .minimum = 1},
      {.name = "lr", .type = OptionType::number, .doc = "Learning rate of Adafactor, constant (preset: 1e-4).", .minimum = 0},
      {.name = "gamma",
       .type = OptionType::number,
       .doc = "Weight of the norm (not squared) of the reconstruction error (preset: 0.1, 10).",
       .minimum = 0},
      {.name = "eval_every",
       .type = OptionType::integer,
       .doc = "Steps between evaluations on the dev splits (preset: 1000).",
       .minimum = 1},
      {.name = "mixing",
       .type = OptionType::choice,
       .fallback = "release",
       .doc = "Distribution of the mixed codes: the release's stick-breaking, uniform on the simplex, or no mixing (a control).",
       .choices = {"release", "dirichlet", "none"}},
      {.name = "draw",
       .type = OptionType::choice,
       .fallback = "group",
       .doc =
           "One mixture for the examples of one task in a step, or one for every example (as the release does with several tasks; slow).",
       .choices = {"group", "example"}},
      {.name = "select_at",
       .type = OptionType::choice,
       .fallback = "fixed",
       .doc = "Codes whose dev scores select the checkpoint: own codes, their centroid, both (fixed), or a random mixture.",
       .choices = {"fixed", "own", "centroid", "random"}},
      {.name = "distance_weight",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Weight of the mean distance between the members' codes in the loss; the release only logs it.",
       .minimum = 0},
      {.name = "decoder",
       .type = OptionType::choice,
       .fallback = "linear",
       .doc = "linear: one matrix without bias; tanh: a d x d matrix, tanh, then that matrix (the release's second variant).",
       .choices = {"linear", "tanh"}},
      {.name = "crossed_encoder",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "Send the first member's code through the second member's last encoder layer, as the release's multi-task code does by "
              "mistake."},
      {.name = "column_length",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "With fit = random: length of every decoder column.",
       .minimum = 0},
  };
}

Settings settings_of(const Options& options) {
  nlohmann::json values = preset(options.text("preset"));
  const OptionTable table = option_table();
  for (const Option& option : table.all())
    if (options.has(option.name)) values[option.name] = options.value(option.name);
  Settings settings;
  settings.dim = values["dim"].get<int64_t>();
  settings.steps = values["steps"].get<int64_t>();
  settings.eval_every = values["eval_every"].get<int64_t>();
  settings.lr = values["lr"].get<double>();
  settings.gamma = values["gamma"].get<double>();
  settings.distance_weight = values["distance_weight"].get<double>();
  settings.column_length = values["column_length"].get<double>();
  settings.mixing = mixing_named(values["mixing"].get<std::string>());
  settings.mixture_per_example = values["draw"] == "example";
  settings.crossed_encoder = values["crossed_encoder"].get<bool>();
  settings.tanh_decoder = values["decoder"] == "tanh";
  settings.fit = values["fit"].get<std::string>();
  settings.select_at = values["select_at"].get<std::string>();
  settings.shown = std::move(values);
  return settings;
}

}  // namespace tsrun::joint_decomposition
