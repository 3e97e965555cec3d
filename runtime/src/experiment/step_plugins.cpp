#include "experiment/step_plugins.h"

#include "experiment/identity.h"
#include "tsrun/base/error.h"

namespace tsrun::experiment {
namespace {

using nlohmann::json;

OptionTable request_options() {
  return {
      {.name = "plugin", .type = OptionType::text, .doc = "name of the method", .required = true},
      {.name = "options", .type = OptionType::table, .fallback = json::object(), .doc = "of the method"},
  };
}

template <class Method>
StepPluginRequest resolved(const Method& method, StepPluginRequest::Kind kind, const Options& request, const std::string& where) {
  const Options own = method.options().resolve(request.value("options"), fmt::format("{}: {}", where, method.name()));
  return {kind, method.name(), method.version(), own, method.wants(own).files};
}

std::vector<json> as_list(const json& value) {
  if (value.is_null()) return {};
  if (value.is_array()) return value.get<std::vector<json>>();
  return {value};
}

}  // namespace

json StepPluginRequest::to_json() const {
  const char* const said = kind == Kind::selector ? "selector" : "regularizer";
  return {{"kind", said}, {"name", name}, {"version", version}, {"options", keyed(options, files)}};
}

std::vector<StepPluginRequest> resolved_step_plugins(const PluginHost& plugins, const json& select, const json& regularize,
                                                     const std::string& where) {
  std::vector<StepPluginRequest> list;
  for (const json& one : as_list(select)) {
    const Options request = request_options().resolve(one, where + ": select");
    list.push_back(resolved(plugins.selector(request.text("plugin")), StepPluginRequest::Kind::selector, request, where + ": select"));
  }
  for (const json& one : as_list(regularize)) {
    const Options request = request_options().resolve(one, where + ": regularize");
    list.push_back(
        resolved(plugins.regularizer(request.text("plugin")), StepPluginRequest::Kind::regularizer, request, where + ": regularize"));
  }
  return list;
}

StepPlugin step_plugin_of(const PluginHost& plugins, const StepPluginRequest& request) {
  StepPlugin plugin{request.name, request.to_json(), {}, {}, {}};
  const Options options = request.options;
  if (request.kind == StepPluginRequest::Kind::selector) {
    const SelectorMethod& method = plugins.selector(request.name);
    plugin.wants = method.wants(options);
    plugin.selector = [&method, options](const MethodInputs& inputs) { return method.make(inputs, options); };
  } else {
    const RegularizerMethod& method = plugins.regularizer(request.name);
    plugin.wants = method.wants(options);
    plugin.regularizer = [&method, options](const MethodInputs& inputs) { return method.make(inputs, options); };
  }
  return plugin;
}

}  // namespace tsrun::experiment
