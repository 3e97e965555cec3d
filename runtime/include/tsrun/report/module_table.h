#pragma once

#include "tsrun/report/report.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace tsrun {

/// One line of the table of trained modules: a pattern of a delta, the head, or a whole part of the model.
struct TrainedLine {
  std::string what;     ///< "lora: query", "head"
  std::string modules;  ///< "2 × bert.encoder.layer.*.attention.self.query"
  int64_t numbers = 0;
};

/// Patterns of a model's deltas and their modules, from the handle of ts.adapt; numbers in names become *.
std::vector<TrainedLine> delta_lines(const nlohmann::json& model);

/// Lines of a training's handle: the deltas', then the head and other trained parts. None without deltas or within a subspace.
std::vector<TrainedLine> trained_lines(const nlohmann::json& run);

/// A table named "modules" over rows {variant, result}: every line with its share of all parameters, trained and frozen. Lines that several
/// variants share occur once. No rows where no variant has a delta.
FreeTable module_table(const nlohmann::json& rows);

}  // namespace tsrun
