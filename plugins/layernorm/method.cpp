#include "method.h"

#include "tsrun/tune/own_parameters.h"

namespace tsrun::layernorm {

OptionTable Method::options() const {
  return {{.name = "embeddings",
           .type = OptionType::boolean,
           .fallback = true,
           .doc = "Train the norm behind the embeddings too, where there is one."}};
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const bool embeddings = options.flag("embeddings");
  return own_parameters(family, "norms", [&](const ParameterInfo& info) {
    const bool place = info.part == Part::encoder || info.part == Part::decoder || (embeddings && info.part == Part::embeddings);
    return place && (info.kind == ParameterKind::norm_weight || info.kind == ParameterKind::norm_bias);
  });
}

}  // namespace tsrun::layernorm
