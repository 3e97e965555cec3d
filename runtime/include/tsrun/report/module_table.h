#pragma once

#include "tsrun/report/report.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace tsrun {

/// One line of what is trained where: a pattern of a delta, the head, or a whole part of the model.
struct TrainedLine {
  std::string what;     ///< "lora: query", "head"
  std::string modules;  ///< "2 × bert.encoder.layer.*.attention.self.query"
  int64_t numbers = 0;
};

/// The patterns of a model's deltas and the modules that they match, from the handle of ts.adapt; numbers in the names become *.
std::vector<TrainedLine> delta_lines(const nlohmann::json& model);

/// Of the handle of a training: the deltas' lines, then the head and what else is trained. None without deltas or within a subspace.
std::vector<TrainedLine> trained_lines(const nlohmann::json& run);

/// A table named "modules" over rows {variant, result}: every line with its share of all numbers, trained and frozen. What was trained the
/// same way in several variants stands there once. No rows where no variant has a delta.
FreeTable module_table(const nlohmann::json& rows);

}  // namespace tsrun
