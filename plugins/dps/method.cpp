#include "method.h"

#include "selector.h"

#include "tsrun/tune/entry_masks.h"

namespace tsrun::dps {
namespace {

/// Tables of relative positions lie inside layers, and are no linear layers: like all embeddings they are trained whole.
std::vector<ParameterInfo> masked(const Family& family, const Options& options) {
  std::vector<ParameterInfo> parameters = masked_parameters(family, options, "dps");
  std::erase_if(parameters, [](const auto& info) { return info.kind == ParameterKind::embedding && info.part != Part::embeddings; });
  return parameters;
}

}  // namespace

OptionTable Method::options() const { return option_table(); }

Wants Method::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::unique_ptr<Selector> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<DynamicSelection>(inputs, masked(inputs.family, options), Settings(options, inputs.steps));
}

}  // namespace tsrun::dps
