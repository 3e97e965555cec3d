#include "method.h"

#include "lora.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/tune/extra_deltas.h"
#include "tsrun/tune/module_rules.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace tsrun::lora {
namespace {

using nlohmann::json;

Init init_of(const std::string& name) {
  if (name == "gaussian") return Init::gaussian;
  if (name == "orthogonal") return Init::orthogonal;
  if (name == "release") return Init::release;
  return name == "pissa" ? Init::pissa : Init::kaiming;
}

/// Checked options shared by all layers.
Choices choices_of(const Options& options) {
  const std::string start = options.text("init_lora_weights");
  Choices choices{init_of(start), options.flag("use_dora"), options.flag("lora_bias"), options.number("lora_dropout")};
  if (choices.bias_of_b && choices.dora) user_error("lora: lora_bias does not combine with use_dora, as in PEFT; leave one of them out");
  if (choices.bias_of_b && choices.init != Init::kaiming && choices.init != Init::release)
    user_error("lora: lora_bias does not combine with init_lora_weights '{}', as in PEFT; expected kaiming or release", start);
  return choices;
}

void check_layer(const AdaptedLayer& layer, const Choices& choices) {
  const LinearModule& module = layer.target.module;
  const int64_t most = std::min(module.inputs, module.outputs);
  if (layer.rank < 1 || (choices.init == Init::pissa && !layer.embedding() && layer.rank > most))
    user_error("lora: rank {} for {} [{}, {}], expected 1 to {}", layer.rank, module.name, module.outputs, module.inputs, most);
  if (layer.rank > most)
    log_warning("lora: rank {} for {} [{}, {}]; more than {} add nothing", layer.rank, module.name, module.outputs, module.inputs, most);
  if (choices.init == Init::orthogonal && layer.rank % 2 != 0 && !layer.embedding())
    user_error("lora: rank {} for {}, expected an even one: the orthogonal start shares its rows out between A and B", layer.rank,
               module.name);
  if (choices.init == Init::pissa && module.shared && !layer.embedding())
    user_error("lora: init_lora_weights is pissa, but {} has its weight in common with the word embeddings", module.name);
  if (choices.bias_of_b && layer.embedding())
    user_error("lora: lora_bias does not combine with embeddings, as in PEFT, and {} is one", module.name);
}

class LayerMaker {
 public:
  LayerMaker(const Family& family, const Options& options)
      : family_(family),
        options_(options),
        ranks_(options.value("rank_pattern"), "lora: rank_pattern"),
        alphas_(options.value("alpha_pattern"), "lora: alpha_pattern") {}

  std::vector<AdaptedLayer> layers(const Choices& choices) const {
    std::vector<AdaptedLayer> layers;
    std::vector<std::string> names;
    for (const Target& target : find_targets(family_, options_, "lora", TargetKinds::linear_and_embeddings)) {
      names.push_back(rule_name(family_, options_, target.module.name));
      layers.push_back(layer(target, names.back()));
      check_layer(layers.back(), choices);
    }
    ranks_.warn_of_unused(names);
    alphas_.warn_of_unused(names);
    return layers;
  }

 private:
  AdaptedLayer layer(const Target& target, const std::string& name) const {
    const double given = ranks_.of(name, static_cast<double>(options_.integer("r")));
    AdaptedLayer layer{target, static_cast<int64_t>(given), 0};
    if (given != static_cast<double>(layer.rank)) user_error("lora: rank_pattern: rank {} for {}, expected a whole number", given, name);
    const double alpha = alphas_.of(name, options_.number("lora_alpha")), rank = static_cast<double>(layer.rank);
    layer.scale = alpha / (options_.flag("use_rslora") ? std::sqrt(rank) : rank);
    return layer;
  }

  const Family& family_;
  const Options& options_;
  NumbersByPattern ranks_, alphas_;
};

std::string why_not_merged(const Family& family, const std::vector<AdaptedLayer>& layers, bool bias_of_b) {
  std::set<std::string> parameters;
  for (const ParameterInfo& info : family.parameters()) parameters.insert(info.name);
  for (const AdaptedLayer& layer : layers) {
    if (layer.target.module.shared) return layer.target.module.name + " has its weight in common with another module";
    if (bias_of_b && !parameters.contains(layer.bias())) return layer.target.module.name + " has no bias to add that of lora_bias to";
  }
  return "";
}

std::vector<Target> targets_of(const std::vector<AdaptedLayer>& layers) {
  std::vector<Target> targets;
  for (const AdaptedLayer& layer : layers) targets.push_back(layer.target);
  return targets;
}

/// A table of embeddings has its trained rows or its factors.
void check_apart(const std::vector<AdaptedLayer>& layers, const Delta& tokens) {
  for (const DeltaTensor& tensor : tokens.tensors())
    for (const AdaptedLayer& layer : layers)
      if (tensor.name.starts_with(layer.target.module.name + ".token_adapter."))
        user_error("lora: {} is a target, and trainable_token_indices names it; give one of them", layer.target.module.name);
}

}  // namespace

OptionTable Method::options() const {
  OptionTable table = module_rule_options(json::array({"query", "value"}), "Adapted linear layers and embeddings", LayerRules::by_number);
  table.include({
      {.name = "r", .type = OptionType::integer, .fallback = 8, .doc = "Rank of the update.", .minimum = 1, .maximum = 4096},
      {.name = "lora_alpha", .type = OptionType::number, .fallback = 8.0, .doc = "The update is scaled by lora_alpha / r.", .minimum = 0},
      {.name = "lora_dropout", .type = OptionType::number, .fallback = 0.0, .doc = "Dropout of A's input.", .minimum = 0, .maximum = 0.99},
      {.name = "use_rslora", .type = OptionType::boolean, .fallback = false, .doc = "Scale by lora_alpha / √r instead."},
      {.name = "use_dora",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "Train the magnitude of each row of the merged weight separately."},
      {.name = "rank_pattern",
       .type = OptionType::table,
       .fallback = json::object(),
       .doc = "Ranks by module: regular expressions for its name or its end behind a dot. Of several matches the first counts in a list of "
              "pairs { pattern, rank }; in a table they are an error.",
       .choices = {"list"}},
      {.name = "alpha_pattern",
       .type = OptionType::table,
       .fallback = json::object(),
       .doc = "Alphas by module, in the same form.",
       .choices = {"list"}},
      {.name = "bias",
       .type = OptionType::choice,
       .fallback = "none",
       .doc = "Trained biases of the model: all, or those of adapted modules (lora_only).",
       .choices = {"none", "all", "lora_only"}},
      {.name = "lora_bias", .type = OptionType::boolean, .fallback = false, .doc = "B has a bias."},
      {.name = "trainable_token_indices",
       .type = OptionType::list,
       .doc = "Token ids with trained word embeddings; or a table of such lists by (ends of) names of modules.",
       .choices = {"table"}},
      {.name = "init_lora_weights",
       .type = OptionType::choice,
       .fallback = "kaiming",
       .doc = "Initialisation: with B = 0, A uniform in ±1/√inputs (kaiming) or in ±1/√r (release, as the unified-subspace paper's code), "
              "or N(0, 1/r²) (gaussian); both from random orthogonal matrices (orthogonal); or the weight's principal part, which is "
              "subtracted from it (pissa). For embeddings A is zero and B N(0, 1).",
       .choices = {"kaiming", "gaussian", "orthogonal", "pissa", "release"}},
  });
  return table;
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  Choices choices = choices_of(options);
  std::vector<AdaptedLayer> layers = LayerMaker(family, options).layers(choices);
  choices.why_not_merged = why_not_merged(family, layers, choices.bias_of_b);
  std::vector<std::unique_ptr<Delta>> all;
  all.push_back(nullptr);
  all.push_back(trained_biases(family, options, targets_of(layers)));
  all.push_back(trained_tokens(family, options.value("trainable_token_indices"), "lora: trainable_token_indices"));
  if (all.back()) check_apart(layers, *all.back());
  all.front() = std::make_unique<Lora>(std::move(layers), std::move(choices));
  return with_saved_modules(together(std::move(all)), family, options, "lora");
}

}  // namespace tsrun::lora
