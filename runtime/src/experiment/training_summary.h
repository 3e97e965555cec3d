#pragma once

#include "experiment/summaries.h"
#include "experiment/train_request.h"
#include "tsrun/experiment/geometry.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace tsrun::experiment {

/// Coordinates for the recipe.
struct ShownCoordinates {
  std::vector<float> last, best;
};

/// The result of ts.train: scores, the trainer's report, coordinates, and the parameters that were new.
struct TrainingSummary {
  TrainSummary training;
  std::optional<TrainReport> report;  ///< absent of a plan
  std::optional<ShownCoordinates> coordinates;
  std::vector<std::string> initialised, reinitialised;  ///< parameters
  ModelRef model;                                       ///< for the tokenizer and config of `tsrun predict`
  double step_seconds = 0;
  std::vector<GeometryPoint> geometry;  ///< of embeddings, where it was recorded

  static TrainingSummary planned(const TrainRequest& request);
  static TrainingSummary of(const TrainRequest& request, const TrainResult& result, const TaskModel& start);
  nlohmann::json to_json() const;
};

}  // namespace tsrun::experiment
