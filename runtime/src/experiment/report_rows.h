#pragma once

#include "tsrun/report/report.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tsrun::experiment {

/// A row of a report: a result of ts.train or ts.evaluate, and where it stands
/// in the table.
struct ReportedRow {
  ReportRow row;
  std::string kind, key;  ///< of the stage behind it; empty: none
  std::string model, task, metric;
  std::optional<std::string> model_key, task_key, split;
  std::optional<double> trainable_share, forward_share, backward_share;  ///< of a training
  std::map<std::string, double> majority_scores;                         ///< by split; NaN where there is none
  std::map<std::string, int64_t> split_rows;                             ///< by split; 0: not known

  /// {"variant", "result", "section"}. @throws Error(user) for a result that a
  /// recipe made up and that is not whole, Error(internal) for one that ts
  /// returned
  static ReportedRow from_json(const nlohmann::json& given);
};

/// Model, task and metric are those of the rows, which must agree, and be of `split`. @throws Error(user)
TableHead head_of(const std::string& title, const std::vector<ReportedRow>& rows, const std::string& split);

}  // namespace tsrun::experiment
