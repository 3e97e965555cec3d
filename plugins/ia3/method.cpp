#include "method.h"

#include "tsrun/base/error.h"

#include <ATen/ATen.h>

#include <map>

namespace tsrun::ia3 {
namespace {

using nlohmann::json;

/// One rescaled map: its outputs, or its inputs where it belongs to the feed-forward block.
struct Map {
  Target target;
  bool of_inputs = false;
  std::string vector() const { return target.module.name + ".ia3_l"; }
  std::string weight() const { return target.module.name + ".weight"; }
  std::string bias() const { return target.module.name + ".bias"; }
};

class Ia3 final : public Delta {
 public:
  explicit Ia3(std::vector<Map> maps) : maps_(std::move(maps)) {}

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const Map& map : maps_) {
      const LinearModule& module = map.target.module;
      const std::vector<int64_t> shape = map.of_inputs ? std::vector<int64_t>{1, module.inputs} : std::vector<int64_t>{module.outputs, 1};
      tensors.push_back({map.vector(), shape, module.layer, DeltaTensor::Law::ones});
    }
    return tensors;
  }

  std::vector<DeltaMatch> matches() const override {
    std::vector<DeltaMatch> matches;
    for (const Map& map : maps_)
      matches.push_back({map.target.pattern, map.target.module.name, map.of_inputs ? map.target.module.inputs : map.target.module.outputs});
    return matches;
  }

  /// A map whose inputs are rescaled is the map with rescaled columns.
  void override_weights(const Weights& weights, Weights& seen) const override {
    for (const Map& map : maps_) {
      if (map.of_inputs) seen.set(map.weight(), columns_scaled(map, weights));
    }
  }

  void install(const Weights& weights, ForwardOptions& forward) const override {
    auto vectors = std::make_shared<std::map<std::string, at::Tensor>>();
    for (const Map& map : maps_) {
      if (!map.of_inputs) vectors->emplace(map.target.module.name, weights.at(map.vector()).flatten());
    }
    forward.at_map = [vectors, before = forward.at_map](const std::string& module, const at::Tensor& in, const at::Tensor& out) {
      const at::Tensor y = before ? before(module, in, out) : out;
      const auto found = vectors->find(module);
      return found == vectors->end() ? y : y * found->second;
    };
  }

  std::optional<Weights> merge(const Weights& weights) const override {
    Weights result = weights;
    for (const Map& map : maps_) {
      result.set(map.weight(), (map.of_inputs ? columns_scaled(map, weights) : rows_scaled(map, weights)).contiguous());
      if (!map.of_inputs && weights.find(map.bias())) result.set(map.bias(), weights.at(map.bias()) * weights.at(map.vector()).flatten());
    }
    return result;
  }

 private:
  static at::Tensor columns_scaled(const Map& map, const Weights& weights) {
    const at::Tensor& l = weights.at(map.vector());  // [1, inputs]
    return weights.at(map.weight()) * (map.target.module.transposed ? l.t() : l);
  }
  static at::Tensor rows_scaled(const Map& map, const Weights& weights) {
    const at::Tensor& l = weights.at(map.vector());  // [outputs, 1]
    return weights.at(map.weight()) * (map.target.module.transposed ? l.t() : l);
  }

  std::vector<Map> maps_;
};

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "target_modules",
       .type = OptionType::list,
       .fallback = json::array({"key", "value", "feed_forward_out"}),
       .doc = "Maps that are rescaled: sites, ends of module names, patterns with *, or all-linear."},
      {.name = "exclude_modules", .type = OptionType::list, .fallback = json::array(), .doc = "Maps that are not, in the same forms."},
      {.name = "feedforward_modules",
       .type = OptionType::list,
       .fallback = json::array({"feed_forward_out"}),
       .doc = "Those of them whose inputs are rescaled instead of their outputs."},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const auto targets = find_targets(family, options.texts("target_modules"), options.texts("exclude_modules"), "ia3: target_modules");
  const auto named = options.texts("feedforward_modules");
  const auto inputs = named.empty() ? std::vector<Target>() : find_targets(family, named, {}, "ia3: feedforward_modules");
  std::vector<Map> maps;
  for (const Target& target : targets) {
    bool of_inputs = false;
    for (const Target& other : inputs) of_inputs = of_inputs || other.module.name == target.module.name;
    maps.push_back({target, of_inputs});
  }
  return std::make_unique<Ia3>(std::move(maps));
}

json Method::from_peft(const json& config) const {
  json options = json::object();
  for (const char* name : {"target_modules", "exclude_modules", "feedforward_modules"})
    if (config.contains(name) && !config[name].is_null())
      options[name] = config[name].is_string() ? json::array({config[name]}) : config[name];
  return options;
}

}  // namespace tsrun::ia3
