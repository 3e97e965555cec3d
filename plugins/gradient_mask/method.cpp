#include "method.h"

#include "salience.h"
#include "tsrun/tune/entry_masks.h"

#include <ATen/core/Tensor.h>

namespace tsrun::gradient_mask {

OptionTable Method::options() const {
  OptionTable table = {
      {.name = "share",
       .type = OptionType::number,
       .fallback = 0.05,
       .doc = "trained share of the masked elements",
       .minimum = 0,
       .maximum = 1},
      granularity_option(),
      {.name = "score",
       .type = OptionType::choice,
       .fallback = "gradient",
       .doc = "salience: |mean gradient|, mean squared gradient of batches (Fisher information), or |weight x mean gradient|",
       .choices = {"gradient", "gradient_squared", "magnitude_times_gradient"}},
      {.name = "rows", .type = OptionType::integer, .fallback = 256, .doc = "calibration rows, drawn at random", .minimum = 1},
      {.name = "row_batch",
       .type = OptionType::integer,
       .fallback = 32,
       .doc = "calibration rows of a backward pass; 1: squares of each row's own gradient",
       .minimum = 1,
       .unit = "rows"},
      others_option("trained"),
  };
  return table.include(mask_options({"encoder", "decoder"}, Freeze::state));
}

Wants Method::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::optional<Choice> Method::choose(const MethodInputs& inputs, const Options& options) const {
  const auto parameters = masked_parameters(inputs.family, options, name());
  const Calibration calibration{drawn_rows(inputs, options.integer("rows"), name()), options.integer("row_batch")};
  Scope scope = scope_of_scores(parameters, salience(inputs, parameters, calibration, options.text("score")), options);
  freeze_others(scope, inputs.family, options);
  return Choice{scope, mask_table(scope)};
}

}  // namespace tsrun::gradient_mask
