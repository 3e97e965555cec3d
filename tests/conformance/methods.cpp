#include "internal.h"

#include "tsrun/base/error.h"

#include <algorithm>

extern "C" void tsrun_plugin_register(tsrun::Registry& registry);  // from the plugin under test

namespace tsrun::plugin_testing {
namespace {

/// Keeps subspaces; the other kinds have no suite yet.
class Collected final : public Registry {
 public:
  void add(std::unique_ptr<SubspaceMethod> method) override { subspaces.push_back(std::move(method)); }
  void add(std::unique_ptr<DeltaMethod> /*method*/) override {}
  void add(std::unique_ptr<SelectorMethod> /*method*/) override {}
  void add(std::unique_ptr<RegularizerMethod> /*method*/) override {}
  std::vector<std::unique_ptr<SubspaceMethod>> subspaces;
};

std::vector<SubspaceCase>& listed_cases() {
  static std::vector<SubspaceCase> cases;
  return cases;
}

}  // namespace

bool add_subspace_case(const std::string& method, const nlohmann::json& options) {
  listed_cases().push_back({method, options});
  return true;
}

const std::vector<std::unique_ptr<SubspaceMethod>>& subspace_methods() {
  static const auto methods = [] {
    Collected registry;
    tsrun_plugin_register(registry);
    return std::move(registry.subspaces);
  }();
  return methods;
}

const SubspaceMethod& subspace_method(const std::string& name) {
  for (const auto& method : subspace_methods())
    if (method->name() == name) return *method;
  internal_error("plugin_testing: the plugin registers no subspace '{}'", name);
}

std::vector<SubspaceCase> subspace_cases() {
  std::vector<SubspaceCase> cases = listed_cases();
  for (const auto& method : subspace_methods()) {
    const bool listed = std::any_of(cases.begin(), cases.end(), [&](const SubspaceCase& c) { return c.method == method->name(); });
    if (!listed) cases.push_back({method->name(), nlohmann::json::object()});
  }
  return cases;
}

}  // namespace tsrun::plugin_testing
