#include "experiment/step_plugins.h"

#include "tsrun/base/error.h"

namespace tsrun {
namespace {

using nlohmann::json;

OptionTable request_options() {
  return {
      {.name = "plugin", .type = OptionType::text, .doc = "name of the method", .required = true},
      {.name = "options", .type = OptionType::table, .fallback = json::object(), .doc = "of the method"},
  };
}

template <class Method>
json resolved(const Method& method, const char* kind, const Options& request, const std::string& where) {
  const Options own = method.options().resolve(request.value("options"), fmt::format("{}: {}", where, method.name()));
  return {{"kind", kind}, {"name", method.name()}, {"version", method.version()}, {"options", own.json()}};
}

std::vector<json> as_list(const json& value) {
  if (value.is_null()) return {};
  if (value.is_array()) return value.get<std::vector<json>>();
  return {value};
}

}  // namespace

json resolved_step_plugins(const PluginHost& plugins, const json& select, const json& regularize, const std::string& where) {
  json list = json::array();
  for (const json& one : as_list(select)) {
    const Options request = request_options().resolve(one, where + ": select");
    list.push_back(resolved(plugins.selector(request.text("plugin")), "selector", request, where + ": select"));
  }
  for (const json& one : as_list(regularize)) {
    const Options request = request_options().resolve(one, where + ": regularize");
    list.push_back(resolved(plugins.regularizer(request.text("plugin")), "regularizer", request, where + ": regularize"));
  }
  return list;
}

std::vector<StepPlugin> step_plugins_of(const PluginHost& plugins, const json& list) {
  std::vector<StepPlugin> result;
  for (const json& one : list) {
    const auto name = one.at("name").get<std::string>();
    const Options options(one.at("options"));
    StepPlugin plugin{name, one, {}, {}, {}};
    if (one.at("kind") == "selector") {
      const SelectorMethod& method = plugins.selector(name);
      plugin.wants = method.wants(options);
      plugin.selector = [&method, options](const MethodInputs& inputs) { return method.make(inputs, options); };
    } else {
      const RegularizerMethod& method = plugins.regularizer(name);
      plugin.wants = method.wants(options);
      plugin.regularizer = [&method, options](const MethodInputs& inputs) { return method.make(inputs, options); };
    }
    result.push_back(std::move(plugin));
  }
  return result;
}

Scope scope_of(Lab& lab, const json& handle) { return load_scope(folder_of(lab, handle)); }

}  // namespace tsrun
