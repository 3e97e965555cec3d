#include "experiment/artifacts.h"

#include "tsrun/base/error.h"

namespace tsrun {

namespace {

using nlohmann::json;

/// The fields of one handle.
class HandleReader {
 public:
  HandleReader(const json& handle, const char* kind) : handle_(handle), kind_(kind) {
    if (!handle.is_object()) internal_error("a handle of kind '{}' is {}, expected a table", kind, handle.type_name());
  }

  template <class T>
  T get(const char* name) const {
    const auto found = handle_.find(name);
    if (found == handle_.end()) internal_error("a handle of kind '{}' lacks '{}'", kind_, name);
    try {
      return found->get<T>();
    } catch (const json::exception& error) {
      internal_error("a handle of kind '{}': '{}': {}", kind_, name, error.what());
    }
  }
  bool has(const char* name) const { return handle_.contains(name); }

 private:
  const json& handle_;
  const char* kind_;
};

}  // namespace

TaskRef TaskRef::from_json(const json& handle) {
  const HandleReader reader(handle, "task");
  return {.key = reader.get<std::string>("key"),
          .name = reader.get<std::string>("name"),
          .spec = reader.get<std::string>("spec"),
          .metric = reader.get<std::string>("metric")};
}

ModelRef ModelRef::from_json(const json& handle) {
  const HandleReader reader(handle, "model");
  ModelRef model;
  model.key = reader.get<std::string>("key");
  model.spec = reader.get<std::string>("spec");
  if (reader.has("deltas")) model.deltas = reader.get<json>("deltas");
  return model;
}

Run Run::from_json(const json& handle) {
  const HandleReader reader(handle, "train");
  Run run;
  run.key = reader.get<std::string>("key");
  run.seed = reader.get<int64_t>("seed");
  run.keep = reader.get<std::string>("keep");
  run.task_handle = reader.get<json>("task");
  run.model_handle = reader.get<json>("model");
  run.task = TaskRef::from_json(run.task_handle);
  run.model = ModelRef::from_json(run.model_handle);
  return run;
}

}  // namespace tsrun
