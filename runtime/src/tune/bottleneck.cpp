#include "tsrun/tune/bottleneck.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <map>

namespace tsrun {
namespace {

at::Tensor activate(BottleneckActivation activation, const at::Tensor& x) {
  switch (activation) {
    case BottleneckActivation::relu:
      return at::relu(x);
    case BottleneckActivation::gelu:
      return at::gelu(x);
    case BottleneckActivation::silu:
      return at::silu(x);
    case BottleneckActivation::tanh:
      return at::tanh(x);
  }
  internal_error("bottleneck: activation {} is unknown", static_cast<int>(activation));
}

/// State shared by the hooks of one forward pass.
struct InstalledBottlenecks {
  std::map<std::string, BottleneckNetwork> behind, beside;  ///< by the map that they are added to
  std::map<std::string, std::string> readers;               ///< the map that an input is taken from, and the one it is for
  std::map<std::string, at::Tensor> on_the_way;             ///< inputs that were seen and not used yet, by the map they are for
};

bool has_bottleneck(const std::string& style, SiteKind kind) {
  if (kind == SiteKind::feed_forward_out) return true;
  return style == "houlsby" && (kind == SiteKind::attention_output || kind == SiteKind::cross_attention_output);
}

/// The map by which the feed-forward block of `out`'s layer begins.
std::string beginning_of_block(const Family& family, const Site& out, const std::string& method) {
  const auto& sites = family.sites();
  const auto in = std::find_if(sites.begin(), sites.end(), [&](const Site& site) {
    return site.kind == SiteKind::feed_forward_in && site.layer == out.layer && site.stack == out.stack;
  });
  if (in == sites.end() || in->module.empty())
    user_error("{}: style parallel reads what enters the feed-forward block, which a model of type '{}' does not show", method,
               family.model_type());
  return in->module;
}

}  // namespace

at::Tensor BottleneckNetwork::operator()(const at::Tensor& x) const {
  return at::linear(activate(activation, at::linear(x.to(down.scalar_type()), down, down_bias)), up, up_bias) * scale;
}

Option bottleneck_style_option() {
  return {.name = "style",
          .type = OptionType::choice,
          .fallback = "houlsby",
          .doc =
              "Adapters behind attention (cross-attention too) and feed-forward block (houlsby), behind the feed-forward block (pfeiffer), "
              "or parallel to it (parallel).",
          .choices = {"houlsby", "pfeiffer", "parallel"}};
}

Option activation_option(const std::string& fallback) {
  return {.name = "activation",
          .type = OptionType::choice,
          .fallback = fallback,
          .doc = "Activation between the two layers.",
          .choices = {"relu", "gelu", "silu", "tanh"}};
}

BottleneckActivation bottleneck_activation(const std::string& name) {
  if (name == "gelu") return BottleneckActivation::gelu;
  if (name == "silu") return BottleneckActivation::silu;
  return name == "tanh" ? BottleneckActivation::tanh : BottleneckActivation::relu;
}

std::vector<Bottleneck> bottleneck_places(const Family& family, const std::string& style, const std::string& method) {
  std::vector<Bottleneck> places;
  for (const Site& site : family.sites()) {
    if (!has_bottleneck(style, site.kind) || site.module.empty()) continue;
    Bottleneck place{std::string(name_of(site.kind)), site.module, "", site.layer, site.width};
    if (style == "parallel") place.reads = beginning_of_block(family, site, method);
    places.push_back(std::move(place));
  }
  if (places.empty()) user_error("{}: a model of type '{}' has no place for style {}", method, family.model_type(), style);
  return places;
}

void install_bottlenecks(const std::vector<Bottleneck>& places, std::vector<BottleneckNetwork> networks, ForwardOptions& forward) {
  auto installed = std::make_shared<InstalledBottlenecks>();
  for (size_t i = 0; i < places.size(); ++i) {
    const Bottleneck& place = places[i];
    if (!place.reads.empty()) installed->readers.emplace(place.reads, place.module);
    (place.reads.empty() ? installed->behind : installed->beside).emplace(place.module, std::move(networks[i]));
  }
  if (!installed->readers.empty()) {
    forward.at_linear.push_back([installed](const LinearCall& call, const at::Tensor& output) {
      const auto reader = installed->readers.find(call.module);
      if (reader != installed->readers.end()) installed->on_the_way[reader->second] = call.input;
      return output;
    });
  }
  forward.at_site.push_back([installed](const Site& site, const at::Tensor& h) {
    if (const auto found = installed->behind.find(site.module); found != installed->behind.end()) return h + found->second(h);
    const auto found = installed->beside.find(site.module);
    if (found == installed->beside.end()) return h;
    const auto input = installed->on_the_way.extract(site.module);  // taken out: nothing is kept once it is used
    if (input.empty()) internal_error("nothing was seen to enter the block that ends in {}", site.module);
    return h + found->second(input.mapped());
  });
}

}  // namespace tsrun
