#pragma once

#include "step.h"

namespace tsrun::joint_decomposition {

/// Sums of losses since the last dev scores.
struct LossSums {
  int64_t steps = 0;
  std::vector<double> task, reconstruction;
  double distance = 0;
  void add(const StepLosses& losses) {
    task.resize(losses.task.size());
    reconstruction.resize(losses.task.size());
    for (size_t m = 0; m < task.size(); ++m) {
      task[m] += losses.task[m];
      reconstruction[m] += losses.reconstruction[m];
    }
    distance += losses.distance;
    ++steps;
  }
  std::vector<double> mean(const std::vector<double>& sums) const {
    std::vector<double> means(sums);
    for (double& value : means) value /= static_cast<double>(steps);
    return means;
  }
  nlohmann::json to_json() const { return {{"steps", steps}, {"task", task}, {"reconstruction", reconstruction}, {"distance", distance}}; }
  static LossSums from_json(const nlohmann::json& json) {
    return {json.at("steps").get<int64_t>(), json.at("task").get<std::vector<double>>(),
            json.at("reconstruction").get<std::vector<double>>(), json.at("distance").get<double>()};
  }
};

}  // namespace tsrun::joint_decomposition
