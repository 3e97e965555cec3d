#include "method.h"

#include "adapter.h"
#include "tsrun/base/error.h"

#include <algorithm>

namespace tsrun::adapter {
namespace {

Activation activation_of(const std::string& name) {
  if (name == "gelu") return Activation::gelu;
  if (name == "silu") return Activation::silu;
  return name == "tanh" ? Activation::tanh : Activation::relu;
}

bool is_placed(const std::string& style, SiteKind kind) {
  if (kind == SiteKind::feed_forward_out) return true;
  return style == "houlsby" && (kind == SiteKind::attention_output || kind == SiteKind::cross_attention_output);
}

/// The map by which the feed-forward block of `out`'s layer begins.
std::string beginning_of_block(const Family& family, const Site& out) {
  const auto& sites = family.sites();
  const auto in = std::find_if(sites.begin(), sites.end(), [&](const Site& site) {
    return site.kind == SiteKind::feed_forward_in && site.layer == out.layer && site.stack == out.stack;
  });
  if (in == sites.end() || in->module.empty())
    user_error("adapter: style parallel reads what enters the feed-forward block, which a model of type '{}' does not show",
               family.model_type());
  return in->module;
}

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "style",
       .type = OptionType::choice,
       .fallback = "houlsby",
       .doc =
           "Behind attention (cross-attention too) and feed-forward block (houlsby), behind the feed-forward block (pfeiffer), or beside "
           "it, from its input to its output (parallel).",
       .choices = {"houlsby", "pfeiffer", "parallel"}},
      {.name = "bottleneck",
       .type = OptionType::integer,
       .fallback = 16,
       .doc = "Width between the two maps.",
       .minimum = 1,
       .maximum = 65536},
      {.name = "activation",
       .type = OptionType::choice,
       .fallback = "relu",
       .doc = "What stands between them.",
       .choices = {"relu", "gelu", "silu", "tanh"}},
      {.name = "biases", .type = OptionType::boolean, .fallback = true, .doc = "Both maps have a bias."},
      {.name = "scale",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "Factor of what is added (He et al. use 4 with parallel adapters)."},
      {.name = "init",
       .type = OptionType::choice,
       .fallback = "identity",
       .doc = "First values: the second map zero, so that the model starts as it was; or both maps N(0, init_std²). Biases are zero.",
       .choices = {"identity", "normal"}},
      {.name = "init_std", .type = OptionType::number, .fallback = 0.02, .doc = "Standard deviation of the first weights.", .minimum = 0},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const std::string style = options.text("style");
  std::vector<Bottleneck> places;
  for (const Site& site : family.sites()) {
    if (!is_placed(style, site.kind) || site.module.empty()) continue;
    Bottleneck place{std::string(name_of(site.kind)), site.module, "", site.layer, site.width};
    if (style == "parallel") place.reads = beginning_of_block(family, site);
    places.push_back(std::move(place));
  }
  if (places.empty()) user_error("adapter: a model of type '{}' has no place for style {}", family.model_type(), style);
  const Shape shape{options.integer("bottleneck"), activation_of(options.text("activation")), options.flag("biases"),
                    options.number("scale"),       options.text("init") == "identity",        options.number("init_std")};
  return std::make_unique<Adapter>(std::move(places), shape);
}

}  // namespace tsrun::adapter
