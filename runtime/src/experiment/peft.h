#pragma once

#include "tsrun/model/model.h"
#include "tsrun/plugin/host.h"

#include <nlohmann/json.hpp>

#include <filesystem>

/// PEFT's folders.
namespace tsrun {

inline constexpr const char *peft_config_file = "adapter_config.json", *peft_values_file = "adapter_model.safetensors";

/// The delta that a folder holds, as a model's handle names it: {"method", "version", "options", "values"}. @throws Error(data) when no
/// plugin has PEFT's method, when the folder lacks a file, and for options that are none or that nothing here honours.
nlohmann::json delta_of_peft(const PluginHost& plugins, const std::filesystem::path& folder);

/// The delta that an entry of a handle's "deltas" names, attached to `family`. @throws Error of kind user, or data where a folder's rules
/// are at fault.
std::unique_ptr<Delta> attach_delta(const PluginHost& plugins, const nlohmann::json& given, const Family& family);

/// Puts a folder's values (and the head that it saved) into a model that `delta`, of `method`, is attached to. @throws Error(data) naming
/// tensors that the model lacks, that it misses, or that have another shape.
void take_peft_values(const DeltaMethod& method, const std::filesystem::path& folder, const Delta& delta, Model& model);

/// Writes the delta and the head of `model` as PEFT would. `delta` is an entry of a handle's "deltas". `moved` are parameters of the model
/// itself that must be written too.
/// @throws Error(user) with the reason for a method that PEFT lacks or understands otherwise.
void save_peft(const PluginHost& plugins, const nlohmann::json& delta, const Model& model, const std::string& base,
               const std::filesystem::path& folder, const std::vector<std::string>& moved = {});

}  // namespace tsrun
