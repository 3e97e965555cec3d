#include <ATen/ATen.h>
#include <tsrun/model/family.h>
#include <tsrun/plugin/plugin.h>
// Scaling and shifting of features (SSF; Lian et al., NeurIPS 2022): every output of a linear map is multiplied by a trained number and
// another one is added, y = γ ⊙ (x Wᵀ + b) + β. Both fold into the map. Left open by us: the norms, which the paper rescales too.
namespace {

using namespace tsrun;

class Ssf : public Delta {
 public:
  Ssf(std::vector<Target> targets, bool shift) : targets_(std::move(targets)), shift_(shift) {}
  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets_) {
      tensors.push_back({module.name + ".ssf_scale", {module.outputs}, module.layer, DeltaTensor::Init::ones});
      if (shift_) tensors.push_back({module.name + ".ssf_shift", {module.outputs}, module.layer, DeltaTensor::Init::zeros});
    }
    return tensors;
  }
  std::vector<DeltaMatch> matches() const override {
    std::vector<DeltaMatch> matches;
    for (const auto& [pattern, module] : targets_) matches.push_back({pattern, module.name, module.outputs * (shift_ ? 2 : 1)});
    return matches;
  }
  std::vector<ModuleChange> changes() const override {
    std::vector<ModuleChange> changes;
    for (const auto& [pattern, module] : targets_) changes.push_back({module.name, ModuleChange::Place::output, ModuleChange::How::scales});
    return changes;
  }
  void install(const Weights& weights, ForwardOptions& forward) const override {
    forward.at_linear.push_back([weights](const LinearCall& call, const at::Tensor& y) {
      const at::Tensor* scale = weights.find(call.module + ".ssf_scale");
      const at::Tensor* shift = weights.find(call.module + ".ssf_shift");
      return scale == nullptr ? y : shift == nullptr ? y * *scale : at::addcmul(*shift, y, *scale);
    });
  }
  std::optional<Weights> merge(const Weights& weights) const override {
    Weights merged = weights;
    for (const auto& [pattern, module] : targets_) {
      const at::Tensor& scale = weights.at(module.name + ".ssf_scale");
      const at::Tensor* bias = weights.find(module.name + ".bias");
      if (shift_ && bias == nullptr) return std::nullopt;
      merged.set(module.name + ".weight", weights.at(module.name + ".weight") * (module.transposed ? scale : scale.unsqueeze(1)));
      if (bias != nullptr)
        merged.set(module.name + ".bias", *bias * scale + (shift_ ? weights.at(module.name + ".ssf_shift") : at::zeros({1})));
    }
    return merged;
  }
  std::string why_not_merged() const override { return "a map without a bias has no place for the shift; set shift = false"; }

 private:
  std::vector<Target> targets_;
  bool shift_;
};

class SsfMethod : public DeltaMethod {
 public:
  std::string name() const override { return "ssf"; }
  std::string doc() const override { return "Scales and shifts the outputs of linear maps."; }
  int version() const override { return 1; }
  OptionTable options() const override {
    return {{.name = "target_modules",
             .type = OptionType::list,
             .fallback = {"query", "value", "attention_output", "feed_forward_out"},
             .doc = "maps that are rescaled: sites, ends of names, patterns with *, or all-linear"},
            {.name = "shift", .type = OptionType::boolean, .fallback = true, .doc = "shift as well as scale"}};
  }
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override {
    return std::make_unique<Ssf>(find_targets(family, options.texts("target_modules"), {}, "ssf: target_modules"), options.flag("shift"));
  }
};

}  // namespace
TSRUN_PLUGIN(registry) { registry.add(std::make_unique<SsfMethod>()); }
