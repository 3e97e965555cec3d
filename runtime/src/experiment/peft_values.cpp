#include "experiment/peft.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/experiment/peft_config.h"
#include "tsrun/tune/extra_deltas.h"
#include "tsrun/tune/module_rules.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <map>
#include <set>

namespace tsrun {
namespace {

namespace fs = std::filesystem;

/// A parameter's name from PEFT's: without the wrappers' prefixes and what names the adapter's own modules.
std::string plain_name(std::string name) {
  for (const char* prefix : {"base_model.model.", "base_model."}) {
    if (name.starts_with(prefix)) {
      name.erase(0, std::string(prefix).size());
      break;
    }
  }
  for (const std::string inner : {".modules_to_save", ".ln_tuning_layers", ".token_adapter.base_layer", ".base_layer"})
    if (const auto place = name.find(inner + "."); place != name.npos) name.erase(place, inner.size());
  if (name.ends_with(".lora_magnitude_vector.weight")) name.resize(name.size() - std::string(".weight").size());
  return name;
}

class PeftValues {
 public:
  PeftValues(const fs::path& folder, const Delta& delta, Model& model)
      : where_((folder / peft_values_file).string()),
        file_(SafetensorsFile::open(folder / peft_values_file)),
        saved_(read_peft_config(folder / peft_config_file).value("modules_to_save", nlohmann::json())),
        delta_(delta),
        model_(model),
        prefix_(base_prefix(*model.family)) {
    for (const ParameterInfo& info : model.family->parameters()) known_.emplace(info.name, &info);
    if (!known_.contains("lm_head.weight")) add_other_names();
  }

  void take() {
    for (const TensorInfo& tensor : file_.tensors())
      if (tensor.name.find(".original_module.") == std::string::npos) take_one(tensor);  // PEFT's copy of what was there before
    for (const ParameterInfo& info : model_.family->parameters())
      if (is_saved_head(info)) require(info.name);
    for (const DeltaTensor& tensor : delta_.tensors()) require(tensor.name);
    for (const std::string& name : delta_.trained_parameters()) require(name);
    std::erase_if(model_.initialised, [&](const std::string& name) { return taken_.contains(name); });
  }

 private:
  /// Modules that have their weight in common with another.
  void add_other_names() {
    for (const auto& modules : {linear_modules(*model_.family), embedding_modules(*model_.family)})
      for (const LinearModule& module : modules)
        if (module.shared && module.weight != module.name + ".weight") known_.emplace(module.name + ".weight", known_.at(module.weight));
  }

  const ParameterInfo* parameter_of(const TensorInfo& tensor) const {
    const std::string name = plain_name(tensor.name);
    for (const std::string& spelling : {name, prefix_ + name})
      if (const auto found = known_.find(spelling); found != known_.end()) return found->second;
    return nullptr;
  }

  void take_one(const TensorInfo& tensor) {
    const ParameterInfo* info = parameter_of(tensor);
    const bool prompt = plain_name(tensor.name) == "prompt_embeddings";
    if (!info && prompt && model_.family->reader() == Reader::encoder_decoder)
      data_error(
          "{}: a prefix of an encoder-decoder, which PEFT puts in front of the decoder alone, two layers' places apart; the paper's, in "
          "front of both stacks, cannot be made of it",
          where_);
    if (!info) data_error("{}: '{}' fits no tensor of the model with its delta", where_, tensor.name);
    at::Tensor value = as_float32(tensor);
    if (prompt && value.dim() == 2 && info->shape.size() == 2 && value.size(0) == 2 * info->shape[0])
      value = value.narrow(0, 0, info->shape[0]);  // PEFT saves as many again for a decoder that it does not reach
    if (value.sizes().vec() != info->shape)
      data_error("{}: '{}' has shape [{}], expected [{}]", where_, tensor.name, fmt::join(tensor.shape, ", "),
                 fmt::join(info->shape, ", "));
    model_.weights.set(info->name, value);
    taken_.insert(info->name);
  }

  bool is_saved_head(const ParameterInfo& info) const {
    return info.part == Part::head && saved_.is_array() &&
           is_saved_module(saved_.get<std::vector<std::string>>(), info.name.substr(0, info.name.rfind('.')));
  }
  void require(const std::string& name) const {
    if (!taken_.contains(name)) data_error("{}: found no value of '{}'", where_, name);
  }

  std::string where_;
  SafetensorsFile file_;
  nlohmann::json saved_;
  const Delta& delta_;
  Model& model_;
  std::string prefix_;
  std::map<std::string, const ParameterInfo*> known_;
  std::set<std::string> taken_;
};

}  // namespace

void take_peft_values(const fs::path& folder, const Delta& delta, Model& model) { PeftValues(folder, delta, model).take(); }

}  // namespace tsrun
