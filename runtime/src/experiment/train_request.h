#pragma once

#include "experiment/initial_weights.h"
#include "experiment/step_plugins.h"
#include "tsrun/tune/parameter_set.h"
#include "tsrun/tune/trajectory.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

/// The request of ts.train.
namespace tsrun::experiment {

OptionTable training_options();
/// Of `tune = ts.within(basis, {…})` and `record = {…}`.
OptionTable within_options();
OptionTable record_options();

/// `tune = ts.within(basis, {…})`, resolved.
struct Within {
  BasisRef basis;
  double lr = 0;                               ///< of the coordinates, where `reach` does not choose it
  std::optional<double> reach = {};            ///< lr = "reach": times the distance
  std::optional<TrajectoryRef> reach_of = {};  ///< trajectory with the update to be reached, instead of the basis's own
  std::optional<double> reach_length = {};     ///< or its length in each group
  double init = 0;                             ///< standard deviation of their initial values
  int64_t ensemble = 1;
  bool embeddings = true, pooler = true, head = true;  ///< trained beside the coordinates
  Options options;                                     ///< all of them

  /// Nothing for null.
  static std::optional<Within> from(const nlohmann::json& given);
  nlohmann::json to_key() const;
  /// Whether the way to an update is known.
  bool has_distance() const { return reach_of || reach_length || basis.trajectory; }
};

/// `record = {…}`, resolved.
struct Record {
  int64_t every = 0;  ///< steps; 0: an epoch
  ParameterSelection parameters;
  RowType type = RowType::float32;
  nlohmann::json key;

  /// Nothing for null.
  static std::optional<Record> from(nlohmann::json given);
};

/// One training, resolved to its last option.
struct TrainRequest {
  TaskRef task;
  InitialWeights initial;
  std::vector<std::string> parts;  ///< to train
  std::optional<MaskRef> zero, held;
  std::optional<ScopeRef> scope;
  std::optional<Within> within;
  std::optional<Record> record;
  std::vector<StepPluginRequest> step_plugins;
  Options options;  ///< all of them, with the model's defaults

  const ModelRef& model() const { return initial.model; }
  bool trains(const char* part) const { return std::find(parts.begin(), parts.end(), part) != parts.end(); }

  /// @throws Error(user) for options that contradict each other, or that nothing would read
  static TrainRequest from(const Lab& lab, const Options& given);
  StageKey key() const;
};

}  // namespace tsrun::experiment
