#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/parameter_subset.h"

#include <algorithm>

namespace tsrun::bitfit {

OptionTable Method::options() const {
  return {
      {.name = "norms", .type = OptionType::boolean, .fallback = true, .doc = "Train the biases of norms too (the paper does)."},
      {.name = "query_and_feed_forward_only",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "Only the biases of queries and of the feed-forward block's first layer, the paper's smaller variant."},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const bool norms = options.flag("norms"), few = options.flag("query_and_feed_forward_only");
  std::vector<std::string> small;
  for (const Site& site : family.sites()) {
    if (site.kind == SiteKind::query || site.kind == SiteKind::feed_forward_in) small.push_back(site.module + ".bias");
  }
  auto delta = parameter_subset(family, "biases", [&](const ParameterInfo& info) {
    const bool layers = info.part == Part::encoder || info.part == Part::decoder;
    if (few) return layers && std::find(small.begin(), small.end(), info.name) != small.end();
    return layers && (info.kind == ParameterKind::bias || (norms && info.kind == ParameterKind::norm_bias));
  });
  if (delta->trained_parameters().empty()) user_error("bitfit: a model of type '{}' has no biases to train", family.model_type());
  return delta;
}

}  // namespace tsrun::bitfit
