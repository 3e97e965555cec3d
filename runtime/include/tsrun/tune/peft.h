#pragma once

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <vector>

/// Exchange of deltas with PEFT's folders (adapter_config.json, adapter_model.safetensors), as delta methods see it.
namespace tsrun {

class Delta;
struct Model;

/// A method of PEFT's, with the fields of its adapter_config.json. Fields of every type (modules_to_save, task_type) are the runtime's.
struct PeftType {
  std::string name;                  ///< peft_type: "LORA"
  std::set<std::string> honoured{};  ///< read by `options_from_peft`
  std::set<std::string> refused{};   ///< change what is computed; a folder may only say that they are not used: null, false or empty
  std::set<std::string> idle{};      ///< initialisation, training elsewhere: no stored delta depends on them
};

/// A tensor of adapter_model.safetensors.
struct PeftTensor {
  std::string name;
  at::Tensor value;
};

/// A delta as PEFT's folder has it. The runtime adds the task type, the head, and what else of the model has changed.
struct PeftFolder {
  nlohmann::ordered_json config;    ///< with peft_type; its own keys are sorted in the file, those of tables inside keep their order
  std::vector<PeftTensor> tensors;  ///< under PEFT's whole names, in the file's order; of two with one name the first is written
  std::set<std::string> adapted{};  ///< modules that PEFT wraps: "encoder.layer.0.attention.self.query"
  bool prompt_learning = false;     ///< PEFT's term: wraps no module; of the model's parameters such a folder has a classifier's alone
  /// Adds a parameter of the model itself; those of adapted modules stand under "<module>.base_layer".
  void add_parameter(const std::string& name, const Model& model);
};

/// The folder of a delta whose tensors have PEFT's names: they, its constants, then the model's parameters that it trains. Modules with a
/// tensor that ends in one of `suffixes` are adapted: they are target_modules, and fan_in_fan_out says whether one of them stores [inputs,
/// outputs].
PeftFolder peft_folder(const std::string& type, const Delta& delta, const Model& model, const std::vector<std::string>& suffixes = {});

}  // namespace tsrun
