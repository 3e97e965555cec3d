#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/extra_deltas.h"
#include "tsrun/tune/module_rules.h"

#include <algorithm>
#include <map>

namespace tsrun::ia3 {
namespace {

using nlohmann::json;

/// A rescaled layer: its outputs, or its inputs for targets among feedforward_modules.
struct AdaptedLayer {
  Target target;
  bool of_inputs = false;
  std::string vector() const { return target.module.name + ".ia3_l"; }
  std::string weight() const { return target.module.weight; }
  std::string bias() const { return target.module.name + ".bias"; }
};

class Ia3 final : public Delta {
 public:
  explicit Ia3(std::vector<AdaptedLayer> layers) : layers_(std::move(layers)) {}

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const AdaptedLayer& layer : layers_) {
      const LinearModule& module = layer.target.module;
      const std::vector<int64_t> shape = layer.of_inputs ? std::vector<int64_t>{1, module.inputs} : std::vector<int64_t>{module.outputs, 1};
      tensors.push_back({layer.vector(), shape, module.layer, DeltaTensor::Init::ones});
    }
    return tensors;
  }

  std::vector<DeltaMatch> matches() const override {
    std::vector<DeltaMatch> matches;
    for (const AdaptedLayer& layer : layers_)
      matches.push_back(
          {layer.target.pattern, layer.target.module.name, layer.of_inputs ? layer.target.module.inputs : layer.target.module.outputs});
    return matches;
  }

  std::vector<ModuleChange> changes() const override {
    using enum ModuleChange::Place;
    using enum ModuleChange::How;
    std::vector<ModuleChange> changes;
    for (const AdaptedLayer& layer : layers_)
      changes.push_back({layer.target.module.name, layer.of_inputs ? weight : output, layer.of_inputs ? of_weight : scales});
    return changes;
  }

  /// Rescaling inputs is rescaling the weight's columns.
  void override_weights(const Weights& weights, Weights& seen) const override {
    for (const AdaptedLayer& layer : layers_) {
      if (layer.of_inputs) seen.set(layer.weight(), columns_scaled(layer, weights));
    }
  }

  void install(const Weights& weights, ForwardOptions& forward) const override {
    auto vectors = std::make_shared<std::map<std::string, at::Tensor>>();
    for (const AdaptedLayer& layer : layers_) {
      if (!layer.of_inputs) vectors->emplace(layer.target.module.name, weights.at(layer.vector()).flatten());
    }
    forward.at_linear.push_back([vectors](const LinearCall& call, const at::Tensor& y) {
      const auto found = vectors->find(call.module);
      return found == vectors->end() ? y : y * found->second;
    });
  }

  std::optional<Weights> merge(const Weights& weights) const override {
    if (!why_not_merged().empty()) return std::nullopt;
    Weights result = weights;
    for (const AdaptedLayer& layer : layers_) {
      result.set(layer.weight(), (layer.of_inputs ? columns_scaled(layer, weights) : rows_scaled(layer, weights)).contiguous());
      if (!layer.of_inputs && weights.find(layer.bias()))
        result.set(layer.bias(), weights.at(layer.bias()) * weights.at(layer.vector()).flatten());
    }
    return result;
  }

  std::string why_not_merged() const override {
    for (const AdaptedLayer& layer : layers_)
      if (layer.target.module.shared) return layer.target.module.name + " has its weight in common with another module";
    return {};
  }

 private:
  static at::Tensor columns_scaled(const AdaptedLayer& layer, const Weights& weights) {
    const at::Tensor& l = weights.at(layer.vector());  // [1, inputs]
    return weights.at(layer.weight()) * (layer.target.module.transposed ? l.t() : l);
  }
  static at::Tensor rows_scaled(const AdaptedLayer& layer, const Weights& weights) {
    const at::Tensor& l = weights.at(layer.vector());  // [outputs, 1]
    return weights.at(layer.weight()) * (layer.target.module.transposed ? l.t() : l);
  }

  std::vector<AdaptedLayer> layers_;
};

/// An entry of feedforward_modules that is nothing of the model's is a slip, unless it is a target too, of other models perhaps.
void check_entry(const Options& options, const std::string& entry, const std::vector<Target>& targets) {
  const auto given = options.texts("target_modules");
  if (std::find(given.begin(), given.end(), entry) != given.end()) return;
  std::vector<std::string> known = given;
  for (const Target& target : targets) known.push_back(target.module.name.substr(target.module.name.rfind('.') + 1));
  user_error("ia3: feedforward_modules: '{}' matches none of the targets{}", entry, did_you_mean(entry, known));
}

bool makes_site(const Family& family, const std::string& module, const std::string& site) {
  return std::any_of(family.sites().begin(), family.sites().end(),
                     [&](const Site& s) { return s.module == module && name_of(s.kind) == site; });
}

/// The targets whose whole names an expression matches.
std::vector<bool> matching(const std::string& expression, const Family& family, const Options& options,
                           const std::vector<Target>& targets) {
  std::vector<bool> found;
  for (const Target& target : targets)
    found.push_back(fullmatch(expression, rule_name(family, options, target.module.name), "ia3: feedforward_modules"));
  return found;
}

/// Of each target, whether feedforward_modules means it. PEFT compares a list's entries with the ends of names, dot or not; a site is one
/// that no name ends in.
std::vector<bool> rescaled_inputs(const Family& family, const Options& options, const std::vector<Target>& targets) {
  const json& given = options.value("feedforward_modules");
  std::vector<bool> inputs(targets.size(), false);
  if (given.is_string()) return matching(given.get<std::string>(), family, options, targets);
  for (const std::string& entry : options.texts("feedforward_modules")) {
    bool any = false;
    const auto mark = [&](const auto& means) {
      for (size_t i = 0; i < targets.size(); ++i)
        if (means(targets[i].module.name)) inputs[i] = any = true;
    };
    mark([&](const std::string& name) { return rule_name(family, options, name).ends_with(entry); });
    if (!any) mark([&](const std::string& name) { return makes_site(family, name, entry); });
    if (!any) check_entry(options, entry, targets);
  }
  return inputs;
}

}  // namespace

OptionTable Method::options() const {
  OptionTable table = module_rule_options(json::array({"key", "value", "feed_forward_out"}), "Rescaled modules", LayerRules::none);
  table.add({.name = "feedforward_modules",
             .type = OptionType::list,
             .fallback = json::array({"feed_forward_out"}),
             .doc = "Target modules whose inputs are rescaled instead of their outputs: a regular expression for whole names, or a list of "
                    "ends of names and sites.",
             .choices = {"text"}});
  return table;
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const auto targets = find_targets(family, options, "ia3");
  const auto inputs = rescaled_inputs(family, options, targets);
  std::vector<AdaptedLayer> layers;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (inputs[i] && targets[i].module.shared)
      user_error("ia3: feedforward_modules matches {}, whose weight is the word embeddings' too", targets[i].module.name);
    layers.push_back({targets[i], inputs[i]});
  }
  return with_saved_modules(std::make_unique<Ia3>(std::move(layers)), family, options, "ia3");
}

std::optional<PeftType> Method::peft_type() const {
  return PeftType{.name = "IA3",
                  .honoured = {"target_modules", "exclude_modules", "feedforward_modules"},
                  .idle = {"fan_in_fan_out", "init_ia3_weights"}};
}

PeftFolder Method::to_peft(const Delta& delta, const Options& /*options*/, const Model& model) const {
  PeftFolder folder = peft_folder("IA3", delta, model, {".ia3_l"});
  folder.config["feedforward_modules"] = json::array();
  for (const std::string& module : folder.adapted)
    if (model.weights.at(module + ".ia3_l").size(0) == 1) folder.config["feedforward_modules"].push_back(module);
  return folder;
}

json Method::options_from_peft(const nlohmann::ordered_json& config) const {
  json options = module_rules_from_peft(config);
  if (config.contains("feedforward_modules") && !config["feedforward_modules"].is_null())
    options["feedforward_modules"] = config["feedforward_modules"];
  return options;
}

}  // namespace tsrun::ia3
