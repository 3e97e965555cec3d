#include "method.h"

#include "selector.h"

#include "tsrun/tune/entry_masks.h"

namespace tsrun::dps {

OptionTable Method::options() const { return option_table(); }

Wants Method::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::unique_ptr<Selector> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<DynamicSelection>(inputs, masked_parameters(inputs.family, options, "dps"), Settings(options, inputs.steps));
}

}  // namespace tsrun::dps
