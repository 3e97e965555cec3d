#include "experiment/artifacts.h"

#include "experiment/handle_reader.h"
#include "tsrun/data/task.h"

#include <cmath>

namespace tsrun::experiment {

namespace {

using nlohmann::json;

template <class T>
void put(json& handle, const char* name, const std::optional<T>& value) {
  if (value) handle[name] = *value;
}

TaskRef::Split split_from(const json& fields) {
  HandleReader reader(fields, "task");
  return {.rows = reader.take<int64_t>("rows"), .majority_score = reader.find<double>("majority_score").value_or(std::nan(""))};
}

ModelRef::Defaults defaults_from(const json& fields) {
  HandleReader reader(fields, "model");
  return {.lr = reader.take<double>("lr"), .lr_head = reader.take<double>("lr_head"), .epochs = reader.take<int64_t>("epochs")};
}

constexpr std::pair<const char*, WordRule> kWordRules[] = {{"shuffled", WordRule::shuffled}, {"uniform", WordRule::uniform}};

json words_json(const WordControl& control) {
  const char* name = nullptr;
  for (const auto& [known, rule] : kWordRules)
    if (rule == control.rule) name = known;
  return {{"rule", name}, {"seed", control.seed}, {"every_split", control.every_split}};
}

WordControl words_from(const json& fields) {
  HandleReader reader(fields, "task");
  const auto name = reader.take<std::string>("rule");
  WordControl control{.seed = reader.take<uint64_t>("seed"), .every_split = reader.take<bool>("every_split")};
  for (const auto& [known, rule] : kWordRules)
    if (known == name) control.rule = rule;
  return control;
}

template <class T>
json list_of(const std::vector<T>& handles) {
  json list = json::array();
  for (const T& handle : handles) list.push_back(handle.to_json());
  return list;
}

}  // namespace

void take_artifact(HandleReader& reader, ArtifactRef& ref) {
  ref.kind = reader.take<std::string>("artifact");
  ref.key = reader.take<std::string>("key");
  ref.stage = reader.find<std::string>("stage").value_or("");
  ref.inside = reader.find<std::string>("inside").value_or("");
  ref.planned = reader.find<bool>("planned").value_or(false);
}

ArtifactRef ArtifactRef::from_json(const json& handle) {
  HandleReader reader(handle, "artifact");
  ArtifactRef ref;
  take_artifact(reader, ref);
  ref.facts = std::move(reader).rest();
  return ref;
}

json ArtifactRef::to_json() const {
  json handle = facts;
  handle.update(identity());
  if (planned) handle["planned"] = true;
  return handle;
}

json ArtifactRef::identity() const {
  json result = {{"artifact", kind}, {"key", key}};
  if (!stage.empty()) result["stage"] = stage;
  if (!inside.empty()) result["inside"] = inside;
  return result;
}

TaskRef TaskRef::from_json(const json& handle) {
  HandleReader reader(handle, "task");
  TaskRef task;
  take_artifact(reader, task);
  task.name = reader.take<std::string>("name");
  task.spec = reader.take<std::string>("spec");
  task.as = reader.take<std::string>("as");
  if (const auto words = reader.find<json>("words")) task.words = words_from(*words);
  task.metric = reader.take<std::string>("metric");
  const auto splits = reader.take<json>("splits");
  for (const auto& [name, fields] : splits.items()) task.splits[name] = split_from(fields);
  task.facts = std::move(reader).rest();
  return task;
}

void TaskRef::require(const std::string& split) const {
  std::vector<std::string> names;
  for (const auto& [known, rows] : splits) names.push_back(known);
  require_split(name, split, names);
}

json TaskRef::to_json() const {
  json handle = ArtifactRef::to_json();
  handle.update({{"name", name}, {"spec", spec}, {"as", as}, {"metric", metric}, {"splits", json::object()}});
  if (words.rule != WordRule::as_written) handle["words"] = words_json(words);
  for (const auto& [split, told] : splits) handle["splits"][split] = {{"rows", told.rows}, {"majority_score", told.majority_score}};
  return handle;
}

TokenizerRef TokenizerRef::from_json(const json& handle) {
  HandleReader reader(handle, "tokenizer");
  TokenizerRef tokenizer;
  take_artifact(reader, tokenizer);
  tokenizer.tokens.vocabulary_size = reader.take<int64_t>("vocabulary_size");
  const auto special = reader.take<json>("special");
  for (const auto& [token, id] : special.items()) tokenizer.tokens.special[token] = id.get<int64_t>();
  tokenizer.facts = std::move(reader).rest();
  return tokenizer;
}

json TokenizerRef::to_json() const {
  json handle = ArtifactRef::to_json();
  handle.update({{"vocabulary_size", tokens.vocabulary_size}, {"special", tokens.special}});
  return handle;
}

DeltaRef DeltaRef::from_json(const json& handle) {
  HandleReader reader(handle, "delta");
  return {.method = reader.take<std::string>("method"),
          .version = reader.take<int64_t>("version"),
          .options = Options(reader.take<json>("options")),
          .seed = reader.find<uint64_t>("seed"),
          .values = reader.find<std::string>("values"),
          .content = reader.find<json>("content")};
}

json DeltaRef::to_json() const {
  json handle = {{"method", method}, {"version", version}, {"options", options.json()}};
  put(handle, "seed", seed);
  put(handle, "values", values);
  put(handle, "content", content);
  return handle;
}

DeltaModule DeltaModule::from_json(const json& handle) {
  HandleReader reader(handle, "delta");
  return {.method = reader.take<std::string>("method"),
          .pattern = reader.take<std::string>("pattern"),
          .module = reader.take<std::string>("module"),
          .numbers = reader.take<int64_t>("numbers")};
}

json DeltaModule::to_json() const { return {{"method", method}, {"pattern", pattern}, {"module", module}, {"numbers", numbers}}; }

const std::string& ModelRef::folder() const {
  if (!path) internal_error("the folder of model '{}' is asked for, which is only planned", spec);
  return *path;
}

ModelRef ModelRef::from_json(const json& handle) {
  HandleReader reader(handle, "model");
  ModelRef model;
  take_artifact(reader, model);
  model.spec = reader.take<std::string>("spec");
  model.path = reader.find<std::string>("path");
  model.content = reader.find<std::string>("content");
  model.defaults = defaults_from(reader.take<json>("defaults"));
  model.deltas = handles_in<DeltaRef>(reader.find<json>("deltas").value_or(json::array()));
  if (const auto modules = reader.find<json>("matches")) {
    model.modules = handles_in<DeltaModule>(*modules);
    model.delta_parameters = reader.take<int64_t>("delta_parameters");
  }
  model.facts = std::move(reader).rest();
  return model;
}

json ModelRef::to_json() const {
  json handle = ArtifactRef::to_json();
  handle["spec"] = spec;
  put(handle, "path", path);
  put(handle, "content", content);
  handle["defaults"] = {{"lr", defaults.lr}, {"lr_head", defaults.lr_head}, {"epochs", defaults.epochs}};
  if (adapted()) handle["deltas"] = list_of(deltas);
  if (modules) handle.update({{"matches", list_of(*modules)}, {"delta_parameters", delta_parameters}});
  return handle;
}

TrajectoryRef TrajectoryRef::from_json(const json& handle) {
  HandleReader reader(handle, "trajectory");
  TrajectoryRef trajectory;
  take_artifact(reader, trajectory);
  trajectory.model = reader.find<ModelRef>("model");
  trajectory.rests_on = reader.find<StepsByTraining>("rests_on").value_or(StepsByTraining());
  trajectory.facts = std::move(reader).rest();
  return trajectory;
}

json TrajectoryRef::to_json() const {
  json handle = ArtifactRef::to_json();
  if (model) handle["model"] = model->to_json();
  if (!rests_on.empty()) handle["rests_on"] = rests_on;
  return handle;
}

BasisRef BasisRef::from_json(const json& handle) {
  HandleReader reader(handle, "subspace");
  BasisRef basis;
  take_artifact(reader, basis);
  basis.method = reader.take<std::string>("method");
  basis.member = reader.find<std::string>("member");
  basis.dim = reader.take<int64_t>("dim");
  basis.model = reader.take<ModelRef>("model");
  basis.trajectory = reader.find<TrajectoryRef>("trajectory");
  basis.rests_on = reader.find<StepsByTraining>("rests_on").value_or(StepsByTraining());
  basis.facts = std::move(reader).rest();
  return basis;
}

json BasisRef::to_json() const {
  json handle = ArtifactRef::to_json();
  handle.update({{"method", method}, {"dim", dim}, {"model", model.to_json()}});
  put(handle, "member", member);
  if (trajectory) handle["trajectory"] = trajectory->to_json();
  if (!rests_on.empty()) handle["rests_on"] = rests_on;
  return handle;
}

ScopeRef ScopeRef::from_json(const json& handle) {
  HandleReader reader(handle, "scope");
  ScopeRef scope;
  take_artifact(reader, scope);
  scope.method = reader.take<std::string>("method");
  scope.rests_on = reader.find<StepsByTraining>("rests_on").value_or(StepsByTraining());
  scope.facts = std::move(reader).rest();
  return scope;
}

json ScopeRef::to_json() const {
  json handle = ArtifactRef::to_json();
  handle["method"] = method;
  if (!rests_on.empty()) handle["rests_on"] = rests_on;
  return handle;
}

}  // namespace tsrun::experiment
