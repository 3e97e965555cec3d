#include "internal.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <cctype>

// The registrations of the plugins under test (TSRUN_PLUGIN), bounded by the linker.
using Registration = void (*)(tsrun::Registry&);
extern "C" const Registration __start_tsrun_plugins[], __stop_tsrun_plugins[];

namespace tsrun::plugin_testing {
namespace {

class Collected final : public Registry {
 public:
  void add(std::unique_ptr<SubspaceMethod> method) override { subspaces.push_back(std::move(method)); }
  void add(std::unique_ptr<JointMethod> method) override { joints.push_back(std::move(method)); }
  void add(std::unique_ptr<DeltaMethod> method) override { deltas.push_back(std::move(method)); }
  void add(std::unique_ptr<SelectorMethod> method) override { selectors.push_back(std::move(method)); }
  void add(std::unique_ptr<RegularizerMethod> method) override { regularizers.push_back(std::move(method)); }
  std::vector<std::unique_ptr<SubspaceMethod>> subspaces;
  std::vector<std::unique_ptr<JointMethod>> joints;
  std::vector<std::unique_ptr<DeltaMethod>> deltas;
  std::vector<std::unique_ptr<SelectorMethod>> selectors;
  std::vector<std::unique_ptr<RegularizerMethod>> regularizers;
};

const Collected& collected() {
  static const auto* registry = [] {
    auto* fresh = new Collected();
    std::for_each(__start_tsrun_plugins, __stop_tsrun_plugins, [&](Registration add) { add(*fresh); });
    return fresh;
  }();
  return *registry;
}

struct ListedCases {
  std::vector<Case> subspaces, joints, deltas, selectors, regularizers;
};

ListedCases& listed_cases() {
  static ListedCases cases;
  return cases;
}

template <class Method>
const Method& method_named(const std::vector<std::unique_ptr<Method>>& methods, const std::string& name, const char* kind) {
  for (const auto& method : methods)
    if (method->name() == name) return *method;
  internal_error("plugin_testing: the plugin registers no {} '{}'", kind, name);
}

/// `cases`, and one without options for every method that has none.
template <class Method>
std::vector<Case> completed(std::vector<Case> cases, const std::vector<std::unique_ptr<Method>>& methods) {
  for (const auto& method : methods) {
    const bool listed = std::any_of(cases.begin(), cases.end(), [&](const Case& c) { return c.method == method->name(); });
    if (!listed) cases.push_back({method->name(), nlohmann::json::object(), {}});
  }
  return cases;
}

}  // namespace

bool add_subspace_case(const std::string& method, const nlohmann::json& options) {
  listed_cases().subspaces.push_back({method, options, {}});
  return true;
}

bool add_joint_case(const std::string& method, const nlohmann::json& options) {
  listed_cases().joints.push_back({method, options, {}});
  return true;
}

bool add_delta_case(const std::string& method, const nlohmann::json& options) {
  listed_cases().deltas.push_back({method, options, {}});
  return true;
}

bool add_selector_case(const std::string& method, const nlohmann::json& options, Trial trial) {
  listed_cases().selectors.push_back({method, options, trial});
  return true;
}

bool add_regularizer_case(const std::string& method, const nlohmann::json& options, Trial trial) {
  listed_cases().regularizers.push_back({method, options, trial});
  return true;
}

const std::vector<std::unique_ptr<SelectorMethod>>& selector_methods() { return collected().selectors; }
const std::vector<std::unique_ptr<RegularizerMethod>>& regularizer_methods() { return collected().regularizers; }
const SelectorMethod& selector_method(const std::string& name) { return method_named(selector_methods(), name, "selector"); }
const RegularizerMethod& regularizer_method(const std::string& name) { return method_named(regularizer_methods(), name, "regularizer"); }
std::vector<Case> selector_cases() { return completed(listed_cases().selectors, selector_methods()); }
std::vector<Case> regularizer_cases() { return completed(listed_cases().regularizers, regularizer_methods()); }
const std::vector<std::unique_ptr<SubspaceMethod>>& subspace_methods() { return collected().subspaces; }
const std::vector<std::unique_ptr<JointMethod>>& joint_methods() { return collected().joints; }
const std::vector<std::unique_ptr<DeltaMethod>>& delta_methods() { return collected().deltas; }
const SubspaceMethod& subspace_method(const std::string& name) { return method_named(subspace_methods(), name, "subspace"); }
const JointMethod& joint_method(const std::string& name) { return method_named(joint_methods(), name, "joint"); }
const DeltaMethod& delta_method(const std::string& name) { return method_named(delta_methods(), name, "delta"); }
std::vector<SubspaceCase> subspace_cases() { return completed(listed_cases().subspaces, subspace_methods()); }
std::vector<JointCase> joint_cases() { return completed(listed_cases().joints, joint_methods()); }
std::vector<DeltaCase> delta_cases() { return completed(listed_cases().deltas, delta_methods()); }

std::string suite_name(const std::string& method, const nlohmann::json& options) {
  std::string name = "Conformance_" + method;
  for (const auto& [key, value] : options.items()) name += "_" + key + "_" + (value.is_string() ? value.get<std::string>() : value.dump());
  for (char& c : name)
    if (!isalnum(static_cast<unsigned char>(c)) && c != '_') c = '_';
  return name;
}

}  // namespace tsrun::plugin_testing
