#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

/// Handles as operations read them: typed, and complete. A recipe holds them as JSON, which Options have checked for its kind; a field that
/// is missing or of another type is therefore a bug of ours. @throws Error(internal) naming kind and field
namespace tsrun {

/// A task of ts.task.
struct TaskRef {
  std::string key, name, spec;
  std::string metric;  ///< the first one, which scores are of

  static TaskRef from_json(const nlohmann::json& handle);
};

/// A model of ts.model or ts.adapt.
struct ModelRef {
  std::string key, spec;
  nlohmann::json deltas = nlohmann::json::array();  ///< {"method", "version", "options", …} each, in the order of ts.adapt

  static ModelRef from_json(const nlohmann::json& handle);
};

/// A training of ts.train, or what stands for one (ts.low_rank).
struct Run {
  std::string key;
  TaskRef task;
  ModelRef model;
  int64_t seed = 1;
  std::string keep;                          ///< weights that it kept: all, last, none
  nlohmann::json task_handle, model_handle;  ///< as results pass them on

  static Run from_json(const nlohmann::json& handle);
};

}  // namespace tsrun
