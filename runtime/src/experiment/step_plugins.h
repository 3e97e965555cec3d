#pragma once

#include "tsrun/plugin/host.h"
#include "tsrun/train/train.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

/// Selectors and regularisers as a recipe names them: {plugin, options}, made by ts.schedule and ts.regularizer.
namespace tsrun::experiment {

struct StepPluginRequest {
  enum class Kind { selector, regularizer } kind = Kind::selector;
  std::string name;
  int version = 0;
  Options options;                 ///< resolved
  std::vector<std::string> files;  ///< options that name files

  /// For a stage key. @throws Error(data) for a file that is not there
  nlohmann::json to_json() const;
};

/// `select` is one {plugin, options}, a list of them, or null; `regularize` a list or null. @throws Error(user) for unknown plugins and
/// options
std::vector<StepPluginRequest> resolved_step_plugins(const PluginHost& plugins, const nlohmann::json& select,
                                                     const nlohmann::json& regularize, const std::string& where);
StepPlugin step_plugin_of(const PluginHost& plugins, const StepPluginRequest& request);

}  // namespace tsrun::experiment
