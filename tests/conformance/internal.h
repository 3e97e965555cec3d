#pragma once

#include "tsrun/plugin_testing/subspace.h"

namespace tsrun::plugin_testing {

struct SubspaceCase {
  std::string method;
  nlohmann::json options;
};

/// The listed cases; one without options for every method that has none.
std::vector<SubspaceCase> subspace_cases();
void register_subspace_tests();

}  // namespace tsrun::plugin_testing
