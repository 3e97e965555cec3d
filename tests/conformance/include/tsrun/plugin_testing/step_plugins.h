#pragma once

#include "tsrun/plugin/plugin.h"

#include <memory>
#include <string>
#include <vector>

/// What every selector and regulariser must keep, as tests in short trainings of a small BERT; linked like those of subspaces
/// (subspace.h). Every method that the plugin registers is tried with the options that the functions below list, or with none.
///
///     const bool added = tsrun::plugin_testing::add_selector_case("my_selector", {{"layers", 1}});
namespace tsrun::plugin_testing {

/// Another set of options under which `method` must pass. Call it before main (from an initialiser). Always true.
bool add_selector_case(const std::string& method, const nlohmann::json& options);
bool add_regularizer_case(const std::string& method, const nlohmann::json& options);

/// The methods that the linked plugin registers.
const std::vector<std::unique_ptr<SelectorMethod>>& selector_methods();
const SelectorMethod& selector_method(const std::string& name);
const std::vector<std::unique_ptr<RegularizerMethod>>& regularizer_methods();
const RegularizerMethod& regularizer_method(const std::string& name);

}  // namespace tsrun::plugin_testing
