#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/tune/extra_deltas.h"
#include "tsrun/tune/parameter_subset.h"

#include <ATen/ops/linear.h>

#include <algorithm>
#include <set>

namespace tsrun {
namespace {

constexpr const char *head_module = "lm_head", *head_weight = "lm_head.weight";

/// An lm_head that is no longer the word embeddings.
class OwnHead : public Delta {
 public:
  explicit OwnHead(LinearModule module) : module_(std::move(module)) {}
  std::vector<DeltaTensor> tensors() const override { return {{head_weight, {module_.outputs, module_.inputs}}}; }
  std::vector<DeltaMatch> matches() const override { return {{"modules_to_save", head_module, module_.outputs * module_.inputs}}; }
  at::Tensor initial(const DeltaTensor&, const Weights& origin, Key) const override {
    return origin.at(module_.weight).detach().clone().contiguous();
  }
  void install(const Weights& weights, ForwardOptions& forward) const override {
    const auto hook = [own = weights.at(head_weight)](const LinearCall& call, const at::Tensor& output) {
      return call.module == head_module ? at::linear(call.input.to(own.scalar_type()), own) : output;
    };
    forward.at_linear.insert(forward.at_linear.begin(), hook);  // in front: other deltas add to the new output
  }
  std::string why_not_merged() const override {
    return "its lm_head has a weight of its own, and the model's is tied to the word embeddings";
  }

 private:
  LinearModule module_;
};

std::optional<LinearModule> tied_head(const Family& family) {
  for (const LinearModule& module : linear_modules(family))
    if (module.shared && module.name == head_module) return module;
  return std::nullopt;
}

bool means_a_module(const std::string& name, const Family& family) {
  const auto holds = [&](const ParameterInfo& info) { return is_saved_module({name}, info.name.substr(0, info.name.rfind('.'))); };
  return std::any_of(family.parameters().begin(), family.parameters().end(), holds);
}

}  // namespace

bool is_saved_module(const std::vector<std::string>& names, const std::string& module) {
  const auto ends_so = [&](const std::string& key) {
    return std::any_of(names.begin(), names.end(), [&](const auto& name) { return !name.empty() && key.ends_with(name); });
  };
  for (size_t dot = module.find('.'); dot != module.npos; dot = module.find('.', dot + 1))
    if (ends_so(module.substr(0, dot))) return true;
  return ends_so(module);
}

std::unique_ptr<Delta> with_saved_modules(std::unique_ptr<Delta> delta, const Family& family, const Options& options,
                                          const std::string& where) {
  const auto names = options.texts("modules_to_save");
  if (names.empty()) return delta;
  const auto tied = tied_head(family);
  const bool own_head = tied && is_saved_module(names, head_module);
  const auto saved = [&](const ParameterInfo& info) {
    return info.part != Part::head && is_saved_module(names, info.name.substr(0, info.name.rfind('.')));
  };
  for (const ParameterInfo& info : family.parameters())
    if (tied && !own_head && info.name == tied->weight && saved(info))
      user_error("{}: modules_to_save has {}, to which lm_head is tied; name lm_head too, which is a weight of its own then", where,
                 info.name);
  for (const std::string& name : names)
    if (name != "classifier" && name != "score" && !(own_head && std::string(head_module).ends_with(name)) && !means_a_module(name, family))
      log_warning("{}: modules_to_save: no module's name ends in '{}'", where, name);
  std::vector<std::unique_ptr<Delta>> all;
  all.push_back(std::move(delta));
  auto own = parameter_subset(family, "modules_to_save", saved);
  if (!own->trained_parameters().empty()) all.push_back(std::move(own));
  if (own_head) all.push_back(std::make_unique<OwnHead>(*tied));
  return together(std::move(all));
}

std::unique_ptr<Delta> trained_biases(const Family& family, const Options& options, const std::vector<Target>& targets) {
  const std::string which = options.text("bias");
  if (which == "none") return nullptr;
  std::set<std::string> adapted;
  for (const Target& target : targets) adapted.insert(target.module.name + ".bias");
  const auto saved = options.texts("modules_to_save");
  return parameter_subset(family, "bias = " + which, [&](const ParameterInfo& info) {
    if (info.part == Part::head || !info.name.ends_with(".bias")) return false;
    return (which == "all" || adapted.contains(info.name)) && !is_saved_module(saved, info.name.substr(0, info.name.rfind('.')));
  });
}

}  // namespace tsrun
