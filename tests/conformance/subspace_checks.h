#pragma once

#include "internal.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace tsrun::plugin_testing {

/// A method that makes subspaces, with one set of options.
struct Subject {
  const SubspaceMaker& method;
  const nlohmann::json& options;
  std::function<std::unique_ptr<Subspace>(const SmallInputs&, uint64_t seed)> maker;
  bool joint = false;
  bool drawn = false;  ///< made of nothing but its key
  std::unique_ptr<Subspace> made(const SmallInputs& inputs, uint64_t seed = 1) const { return maker(inputs, seed); }
  ParameterSet parameters(const SmallInputs& inputs) const {
    return joint ? inputs.joint_inputs().members[0].parameters : inputs.parameters();
  }
};
using Check = std::function<void(const Subject&)>;

/// What subspaces keep, whoever makes them.
const std::vector<std::pair<const char*, Check>>& subspace_checks();

/// One test. `resolve` finds the method when the test runs.
void register_check(const Case& subject, Subject (*resolve)(const Case&), const char* name, const Check& check);

}  // namespace tsrun::plugin_testing
