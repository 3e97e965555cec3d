#include "method.h"

#include "tsrun/tune/parameter_set.h"
#include "tsrun/tune/parameter_subset.h"

#include <set>

namespace tsrun::full {

using nlohmann::json;

OptionTable Method::options() const {
  return {
      {.name = "parts",
       .type = OptionType::list,
       .fallback = json::array({"embeddings", "encoder", "decoder", "pooler"}),
       .doc = "Trained parts of the model."},
      {.name = "patterns",
       .type = OptionType::list,
       .fallback = json::array(),
       .doc = "Only parameters of these parts whose names match one of these patterns, with * for any run of characters; none: all."},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const json selection = {{"parts", options.value("parts")}, {"patterns", options.value("patterns")}};
  const ParameterSet selected = select_parameters(family, parse_selection(selection, "full: options"));
  std::set<std::string> chosen;
  for (const Slice& slice : selected.layout.slices()) chosen.insert(slice.name);
  return parameter_subset(family, "parts", [&](const ParameterInfo& info) { return chosen.contains(info.name); });
}

}  // namespace tsrun::full
