#include "settings.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/entry_masks.h"

#include <algorithm>

namespace tsrun::dps {
namespace {

/// The reference code turns dropout off, and in Dense trainings of 2000 steps or more on again.
constexpr int64_t kLongTraining = 2000;

bool with_dropout(const Options& options, int64_t planned_steps) {
  const std::string given = options.text("dropout");
  if (given == "reference") return options.text("variant") == "dense" && planned_steps >= kLongTraining;
  return given == "model";
}

int64_t stage_steps_of(const Options& options, int64_t planned_steps) {
  if (options.has("stage_steps")) return options.integer("stage_steps");
  const double steps = static_cast<double>(planned_steps) * options.number("update_ratio");
  return std::max<int64_t>(1, static_cast<int64_t>(steps));
}

OptionTable stage_options() {
  return {
      {.name = "variant",
       .type = OptionType::choice,
       .fallback = "dense",
       .doc = "stage I trains the whole network (dense), or a random part of it against the weights before training (mix)",
       .choices = {"dense", "mix"}},
      {.name = "freeze_ratio",
       .type = OptionType::number,
       .fallback = 0.3,
       .doc = "share p of the masked elements that stage II does not train (reserve_p in the reference code)",
       .minimum = 0,
       .maximum = 1},
      {.name = "update_ratio",
       .type = OptionType::number,
       .fallback = 0.05,
       .doc = "length of a stage as a share of all steps",
       .minimum = 0,
       .maximum = 1},
      {.name = "stage_steps",
       .type = OptionType::integer,
       .doc = "length of a stage, instead of update_ratio",
       .minimum = 1,
       .unit = "steps"},
      granularity_option(),
      {.name = "scores",
       .type = OptionType::choice,
       .fallback = "gradients",
       .doc = "choice of the subnetwork: by squared gradients, or at random (a control with the same stages, sizes and cost)",
       .choices = {"gradients", "random"}},
      {.name = "squares",
       .type = OptionType::choice,
       .fallback = "step",
       .doc = "squared gradients: of a step's summed gradient, or of every micro-batch (per example with batch_size = 1)",
       .choices = {"step", "micro_batch"}},
      {.name = "ties",
       .type = OptionType::choice,
       .fallback = "index",
       .doc = "elements that tie with the last one kept: the first by index, or all of them, as in the reference code",
       .choices = {"index", "all"}},
      {.name = "dropout",
       .type = OptionType::choice,
       .fallback = "reference",
       .doc =
           "dropout of the model: off, as the model says, or as in the reference code: off, but for dense trainings of 2000 steps or more",
       .choices = {"reference", "off", "model"}},
  };
}

OptionTable mix_options() {
  return {
      {.name = "noise",
       .type = OptionType::choice,
       .fallback = "column",
       .doc = "of mix, stage I: one draw for all weights of an input, or one for every element",
       .choices = {"column", "element"}},
      {.name = "grad_rescale",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "of mix: 1/(1-p) in the gradient too, which the reference code leaves out"},
      {.name = "stage2_amplify",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "of mix, stage II: movements within the stage count 1/(1-p) in the forward pass"},
      {.name = "penalty_min_steps",
       .type = OptionType::integer,
       .fallback = 50,
       .doc = "of mix: shortest stage whose scores are multiplied by exp(-frequency); 0: no stage",
       .minimum = 0,
       .unit = "steps"},
  };
}

}  // namespace

OptionTable option_table() {
  OptionTable table = stage_options();
  return table.include(mix_options()).include(mask_options({"encoder", "decoder", "pooler", "head"}));
}

Settings::Settings(const Options& options, int64_t planned_steps)
    : mix(options.text("variant") == "mix"),
      frozen_share(options.number("freeze_ratio")),
      stage_steps(stage_steps_of(options, planned_steps)),
      global(options.text("granularity") == "global"),
      random_scores(options.text("scores") == "random"),
      element_noise(options.text("noise") == "element"),
      rescale_gradient(options.flag("grad_rescale")),
      amplified(options.flag("stage2_amplify")),
      penalty_steps(options.integer("penalty_min_steps")),
      dropout(with_dropout(options, planned_steps)),
      micro_batch_squares(options.text("squares") == "micro_batch"),
      keep_ties(options.text("ties") == "all"),
      freeze(freeze_of(options)) {
  if (mix && frozen_share == 1) user_error("dps: option 'freeze_ratio' is 1, expected less than 1 with variant = \"mix\"");
}

}  // namespace tsrun::dps
