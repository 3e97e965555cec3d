#include "method.h"

#include "choice_file.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"

namespace tsrun::super_tuning {
namespace {

/// |w| of the options' parameters.
FileChoice magnitudes(const MethodInputs& inputs, const Options& options) {
  FileChoice choice;
  choice.scored = masked_parameters(inputs.family, options, "super_tuning");
  for (const ParameterInfo& info : choice.scored) choice.scores.push_back(inputs.origin.at(info.name).abs());
  return choice;
}

}  // namespace

OptionTable Method::options() const {
  OptionTable table = {
      {.name = "share",
       .type = OptionType::number,
       .fallback = 0.01,
       .doc = "trained share of the scored elements",
       .minimum = 0,
       .maximum = 1},
      granularity_option(),
      {.name = "direction",
       .type = OptionType::choice,
       .fallback = "top",
       .doc = "elements of largest score, or of smallest",
       .choices = {"top", "bottom"}},
      {.name = "scores",
       .type = OptionType::text,
       .doc = "safetensors file with a tensor for each masked parameter, by its name: scores (float, of its shape), a mask (bool or "
              "uint8, of its shape), or positions in it (int64, row by row from 0); parts and patterns are then the file's. Absent: "
              "magnitudes"},
      others_option("frozen"),
  };
  return table.include(mask_options({"encoder", "decoder"}, Freeze::state));
}

Wants Method::wants(const Options& options) const {
  return {.whole_vocabulary = options.has("scores") || masks_embeddings(options), .files = {"scores"}};
}

std::optional<Choice> Method::choose(const MethodInputs& inputs, const Options& options) const {
  FileChoice choice = options.has("scores") ? read_choice(options.text("scores"), inputs.family) : magnitudes(inputs, options);
  if (options.text("direction") == "bottom")
    for (at::Tensor& scores : choice.scores) scores = scores.neg();
  Scope scope = scope_of_scores(choice.scored, choice.scores, options);
  for (const auto& [name, mask] : choice.masks) scope.parameters[name].mask = mask;
  freeze_others(scope, inputs.family, options);
  return Choice{scope, mask_table(scope)};
}

}  // namespace tsrun::super_tuning
