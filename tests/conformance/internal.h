#pragma once

#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/joint.h"
#include "tsrun/plugin_testing/step_plugins.h"
#include "tsrun/plugin_testing/subspace.h"

namespace tsrun::plugin_testing {

/// A method and the options that it is tried with.
struct Case {
  std::string method;
  nlohmann::json options;
  Trial trial = {};
};
using SubspaceCase = Case;
using JointCase = Case;
using DeltaCase = Case;

/// The listed cases; one without options for every method that has none.
std::vector<SubspaceCase> subspace_cases();
std::vector<JointCase> joint_cases();
std::vector<DeltaCase> delta_cases();
std::vector<Case> selector_cases();
std::vector<Case> regularizer_cases();
void register_subspace_tests();
void register_joint_tests();
void register_delta_tests();
void register_step_plugin_tests();

/// "Conformance_lora_r_4"
std::string suite_name(const std::string& method, const nlohmann::json& options);

}  // namespace tsrun::plugin_testing
