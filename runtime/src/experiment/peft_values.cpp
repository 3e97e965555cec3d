#include "experiment/peft.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/experiment/peft_config.h"
#include "tsrun/tune/extra_deltas.h"
#include "tsrun/tune/module_rules.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <list>
#include <map>
#include <set>

namespace tsrun::experiment {
namespace {

namespace fs = std::filesystem;

/// A name without the prefixes of PEFT's wrappers, and without its modules inside an adapted one.
std::string plain_name(std::string name) {
  for (const char* prefix : {"base_model.model.", "base_model."}) {
    if (name.starts_with(prefix)) {
      name.erase(0, std::string(prefix).size());
      break;
    }
  }
  for (const std::string inner : {".modules_to_save", ".token_adapter.base_layer", ".base_layer"})
    if (const auto place = name.find(inner + "."); place != name.npos) name.erase(place, inner.size());
  return name;
}

class PeftValues {
 public:
  PeftValues(const fs::path& folder, const DeltaMethod& method, const Delta& delta, Model& model)
      : where_((folder / peft_values_file).string()),
        file_(SafetensorsFile::open(folder / peft_values_file)),
        saved_(read_peft_config(folder / peft_config_file).value("modules_to_save", nlohmann::ordered_json())),
        method_(method),
        delta_(delta),
        model_(model),
        prefix_(base_prefix(*model.family)) {
    for (const ParameterInfo& info : model.family->parameters()) known_.emplace(info.name, &info);
    if (!known_.contains("lm_head.weight")) add_other_names();
    for (const DeltaTensor& constant : delta.constants()) add_constant(constant);
  }

  void take() {
    for (const TensorInfo& tensor : file_.tensors())
      if (tensor.name.find(".original_module.") == std::string::npos) take_one(tensor);  // PEFT's copy of what was there before
    for (const ParameterInfo& info : model_.family->parameters())
      if (is_saved_head(info)) require(info.name);
    for (const DeltaTensor& tensor : delta_.tensors()) require(tensor.name);
    for (const std::string& name : delta_.trained_parameters()) require(name);
    for (const ParameterInfo& constant : constants_) require_constant(constant.name);
    std::erase_if(model_.initialised, [&](const std::string& name) { return taken_.contains(name); });
  }

 private:
  /// Modules that have their weight in common with another.
  void add_other_names() {
    for (const auto& modules : {linear_modules(*model_.family), embedding_modules(*model_.family)})
      for (const LinearModule& module : modules)
        if (module.shared && module.weight != module.name + ".weight") known_.emplace(module.name + ".weight", known_.at(module.weight));
  }

  void add_constant(const DeltaTensor& constant) {
    ParameterInfo& info = constants_.emplace_back();
    info.name = constant.name;
    info.shape = constant.shape;
    known_.emplace(info.name, &info);
  }

  const ParameterInfo* parameter_of(const std::string& name) const {
    for (const std::string& spelling : {name, prefix_ + name})
      if (const auto found = known_.find(spelling); found != known_.end()) return found->second;
    return nullptr;
  }

  PeftTensor translated(const TensorInfo& tensor) const {
    try {
      return method_.tensor_from_peft({plain_name(tensor.name), as_float32(tensor)}, delta_, *model_.family);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::user) throw;
      data_error("{}: {}", where_, error.what());
    }
  }

  void take_one(const TensorInfo& tensor) {
    const PeftTensor own = translated(tensor);
    const ParameterInfo* info = parameter_of(own.name);
    if (!info) data_error("{}: '{}' fits no tensor of the model with its delta", where_, tensor.name);
    if (own.value.sizes().vec() != info->shape)
      data_error("{}: '{}' has shape [{}], expected [{}]", where_, tensor.name, fmt::join(tensor.shape, ", "),
                 fmt::join(info->shape, ", "));
    model_.weights.set(info->name, own.value);
    taken_.insert(info->name);
  }

  bool is_saved_head(const ParameterInfo& info) const {
    return info.part == Part::head && saved_.is_array() &&
           is_saved_module(saved_.get<std::vector<std::string>>(), info.name.substr(0, info.name.rfind('.')));
  }
  void require(const std::string& name) const {
    if (!taken_.contains(name)) data_error("{}: found no value of '{}'", where_, name);
  }
  void require_constant(const std::string& name) const {
    if (!taken_.contains(name))
      data_error(
          "{}: found no value of the frozen '{}', which PEFT would draw from a generator of its own; save it with save_projection = true",
          where_, name);
  }

  std::string where_;
  SafetensorsFile file_;
  nlohmann::ordered_json saved_;
  const DeltaMethod& method_;
  const Delta& delta_;
  Model& model_;
  std::string prefix_;
  std::map<std::string, const ParameterInfo*> known_;
  std::list<ParameterInfo> constants_;  ///< names and shapes of the delta's
  std::set<std::string> taken_;
};

}  // namespace

void take_peft_values(const DeltaMethod& method, const fs::path& folder, const Delta& delta, Model& model) {
  PeftValues(folder, method, delta, model).take();
}

}  // namespace tsrun::experiment
