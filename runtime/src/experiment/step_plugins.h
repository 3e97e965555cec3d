#pragma once

#include "experiment/handles.h"

#include "tsrun/train/train.h"

#include <nlohmann/json.hpp>

#include <vector>

/// Selectors and regularisers as a recipe names them: {plugin, options}, made by ts.schedule and ts.regularizer.
namespace tsrun {

/// Kind, name, version and resolved options of each: what a stage key says of them, and what `step_plugins_of` reads. `select` is one
/// {plugin, options}, a list of them, or null; `regularize` a list or null. @throws Error(user) for unknown plugins and options
nlohmann::json resolved_step_plugins(const PluginHost& plugins, const nlohmann::json& select, const nlohmann::json& regularize,
                                     const std::string& where);
std::vector<StepPlugin> step_plugins_of(const PluginHost& plugins, const nlohmann::json& resolved);

Scope scope_of(Lab& lab, const nlohmann::json& handle);

}  // namespace tsrun
