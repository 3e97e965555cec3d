#include "experiment/initial_weights.h"

#include "experiment/stored.h"
#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/parts.h"

#include <algorithm>
#include <span>

namespace tsrun::experiment {

namespace {

using nlohmann::json;

std::string shape_text(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::vector<TrainingRef> solutions_of(const Origin& origin) {
  std::vector<TrainingRef> solutions;
  for (const auto& solution : origin.solutions) solutions.push_back(*solution);
  return solutions;
}

bool takes(const Origin& origin, Part part) {
  return std::find(origin.parts.begin(), origin.parts.end(), name_of(part)) != origin.parts.end();
}

/// Folders of deltas hold modules of the model's own too (a head): those of an origin, and new ones, stand above them.
void put_back_modules(const InitialWeights& initial, const Weights& start, TaskModel& loaded) {
  Model& model = loaded.model;
  const auto& deltas = initial.model.deltas;
  if (std::none_of(deltas.begin(), deltas.end(), [](const DeltaRef& delta) { return delta.values.has_value(); })) return;
  const auto is_in = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const ParameterInfo& info : model.family->parameters()) {
    if (info.part != Part::head && !is_in(loaded.trained_parameters, info.name)) continue;
    if ((initial.origin && takes(*initial.origin, info.part)) || is_in(loaded.reinitialised, info.name))
      model.weights.set(info.name, start.at(info.name));
  }
}

/// Tensors of an origin's deltas mean something beside its constants alone, and its other weights have lost already what first values took
/// out of them.
void take_deltas(Lab& lab, const Origin& origin, const Weights& start, Model& model) {
  const std::vector<TrainingRef> solutions = solutions_of(origin);
  for (const ParameterInfo& info : model.family->parameters())
    if (info.part != Part::delta && takes(origin, info.part)) model.weights.set(info.name, start.at(info.name));
  take_parts(lab, model, solutions, origin.which, {std::string(name_of(Part::delta))});
  Weights constants = model.weights;
  take_constants(folder_of(lab, solutions.front()), constants);
  const auto names = model.weights.names();
  for (const std::string& name : names) model.weights.set(name, constants.at(name));
}

/// Deltas are made of the weights that the training starts from, wherever those come from.
void attach_to_start(Lab& lab, const InitialWeights& initial, TaskModel& loaded, Key key) {
  const Weights start = loaded.model.weights;
  attach_deltas(lab.plugins(), initial.model.deltas, loaded.model, key);
  put_back_modules(initial, start, loaded);
  if (initial.origin && takes(*initial.origin, Part::delta)) take_deltas(lab, *initial.origin, start, loaded.model);
}

/// A parameter as a solution has it. @throws Error(user)
at::Tensor taken(const SafetensorsFile& file, const ParameterInfo& info) {
  const TensorInfo* found = file.find(info.name);
  if (!found) user_error("origin: the solution has no '{}', which belongs to the part '{}' here", info.name, name_of(info.part));
  if (found->shape != info.shape)
    user_error("origin: '{}' has shape {} in the solution, expected {}", info.name, shape_text(found->shape), shape_text(info.shape));
  return as_float32(*found);
}

}  // namespace

InitialWeights InitialWeights::of(const TrainingRef& training) {
  return {training.model, training.seed, training.fresh, training.origin, training.reinit_layers};
}

OptionTable origin_options() {
  return {
      {.name = "solution", .type = OptionType::artifact, .doc = "training to start from", .choices = {"train"}},
      {.name = "solutions", .type = OptionType::list, .doc = "instead: trainings to start from, at the mean of their weights"},
      {.name = "which",
       .type = OptionType::choice,
       .fallback = "last",
       .doc = "weights of each training",
       .choices = {"last", "best", "mean"}},
      {.name = "parts",
       .type = OptionType::list,
       .fallback = json::array({"encoder", "decoder"}),
       .doc = "parts taken; the rest is pre-trained, the head new"},
  };
}

std::optional<Origin> resolved_origin(const json& given, const std::string& where) {
  if (given.is_null()) return std::nullopt;
  const Options origin = origin_options().resolve(given, where + ": origin");
  check_parts(origin.texts("parts"), where + ": origin: option 'parts'");
  if (origin.has("solution") == origin.has("solutions")) user_error("{}: origin: expected either 'solution' or 'solutions'", where);
  if (origin.has("solutions") && trainings_in(origin.value("solutions"), where + ": origin: solutions").empty())
    user_error("{}: origin: option 'solutions' is empty, expected at least one training", where);
  return Origin::from_json(origin.json());
}

void check_parts(const std::vector<std::string>& parts, const std::string& where) {
  for (const auto& part : parts) parse_part(part, where);
}

void check_reinit_layers(const Family& family, int64_t layers) {
  if (layers > family.layers()) user_error("train: option 'reinit_layers' is {}, but the model has {} layers", layers, family.layers());
}

std::vector<std::string> reinitialise_top(Model& model, int64_t layers, Key key) {
  std::vector<std::string> names;
  if (layers == 0) return names;
  const Family& family = *model.family;
  check_reinit_layers(family, layers);
  for (const ParameterInfo& info : family.parameters()) {
    const bool on_top = info.layer >= family.layers() - layers && info.part != Part::delta;
    if (!on_top && info.part != Part::pooler) continue;
    model.weights.set(info.name, family.initial(info, key));
    names.push_back(info.name);
  }
  return names;
}

TaskModel initial_task_model(Lab& lab, const TaskRef& task, const InitialWeights& initial) {
  const Key key = Key::root(static_cast<uint64_t>(initial.seed));
  TaskModel loaded = plain_task_model_of(lab.plugins(), task, initial.model, key.split("init"));
  Model& model = loaded.model;
  if (initial.fresh) {
    Model fresh = initialise_model(model.family->config(), model.family->head(), model.tokenizer, key.split("fresh"));
    fresh.generation = std::move(model.generation);
    fresh.labels = std::move(model.labels);
    model = std::move(fresh);
  }
  if (initial.origin) take_parts(lab, model, solutions_of(*initial.origin), initial.origin->which, initial.origin->parts);
  loaded.reinitialised = reinitialise_top(model, initial.reinit_layers, key.split("reinit"));
  if (initial.model.adapted()) attach_to_start(lab, initial, loaded, key.split("init").split("delta"));
  return loaded;
}

void take_parts(Lab& lab, Model& model, const std::vector<TrainingRef>& solutions, const std::string& which,
                const std::vector<std::string>& parts) {
  std::vector<SafetensorsFile> files;
  for (const TrainingRef& solution : solutions) files.push_back(SafetensorsFile::open(solution_file(lab, solution, which)));
  for (const ParameterInfo& info : model.family->parameters()) {
    if (std::find(parts.begin(), parts.end(), name_of(info.part)) == parts.end()) continue;
    at::Tensor value = taken(files.front(), info);
    if (files.size() > 1) {
      at::Tensor sum = value.to(at::kDouble);
      for (size_t i = 1; i < files.size(); ++i) sum += taken(files[i], info);
      value = (sum / static_cast<double>(files.size())).to(at::kFloat);
    }
    model.weights.set(info.name, value);
  }
}

std::string digest_of(const at::Tensor& flat) {
  const at::Tensor host = flat.to(at::kCPU, at::kFloat).contiguous();
  return Sha256().update(std::as_bytes(std::span(host.const_data_ptr<float>(), static_cast<size_t>(host.numel())))).hex();
}

}  // namespace tsrun::experiment
