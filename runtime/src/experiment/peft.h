#pragma once

#include "experiment/artifacts.h"
#include "tsrun/model/model.h"
#include "tsrun/plugin/host.h"

#include <nlohmann/json.hpp>

#include <filesystem>

/// PEFT's folders.
namespace tsrun::experiment {

inline constexpr const char *peft_config_file = "adapter_config.json", *peft_values_file = "adapter_model.safetensors";

/// The delta in a folder of PEFT. @throws Error(data) when no plugin has PEFT's method, when the folder lacks a file, and for options that
/// are unknown or not supported.
DeltaRef delta_of_peft(const PluginHost& plugins, const std::filesystem::path& folder);

/// The delta, attached to `family`. @throws Error(data) for one of another version of its method, and of a folder whose rules are at fault;
/// Error(user) as the method says
std::unique_ptr<Delta> attach_delta(const PluginHost& plugins, const DeltaRef& ref, const Family& family);

/// Reads a folder's values, with its head, into a model with `delta`, of `method`, attached. @throws Error(data) naming tensors that the
/// model lacks or misses, or that have another shape.
void take_peft_values(const DeltaMethod& method, const std::filesystem::path& folder, const Delta& delta, Model& model);

/// Writes the delta and the head of `model` as PEFT would. `moved` are parameters of the model itself that must be written too.
/// @throws Error(user) with the reason for a method that PEFT lacks or understands otherwise.
void save_peft(const PluginHost& plugins, const DeltaRef& delta, const Model& model, const std::string& base,
               const std::filesystem::path& folder, const std::vector<std::string>& moved = {});

}  // namespace tsrun::experiment
