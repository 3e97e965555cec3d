#pragma once

#include "tsrun/plugin_testing/delta.h"
#include "tsrun/tune/binding.h"

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// The promises of a delta, as checks by name.
namespace tsrun::plugin_testing {

/// One method with one set of options on one model.
struct DeltaSubject {
  const DeltaMethod& method;
  const SmallModel& model;
  const nlohmann::json& options;
  Attached attached(uint64_t seed = 1) const { return attach(method, model, options, seed); }
};
using DeltaChecks = std::vector<std::pair<const char*, std::function<void(const DeltaSubject&)>>>;

DeltaChecks parameter_checks();  ///< of its tensors: counts, gradients, values at the start, files
DeltaChecks pass_checks();       ///< of a forward pass: identity, effect, merging, rows, recomputation
DeltaChecks company_checks();    ///< within a subspace, and beside other deltas and hooks

/// Parameters that a delta trains: its own tensors and those of the model.
std::set<std::string> trained_names(const Delta& delta);
TuneOptions only_the_delta(const Attached& attached);
/// Largest difference, in units of `expected`'s largest number where that is above one.
double apart(const at::Tensor& found, const at::Tensor& expected);

}  // namespace tsrun::plugin_testing
