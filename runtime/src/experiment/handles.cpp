#include "experiment/handles.h"

#include "experiment/identity.h"
#include "experiment/peft.h"
#include "tsrun/model/finite.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "tsrun/base/error.h"

#include "tsrun/checkpoint/folder.h"
#include "tsrun/data/builtin.h"
#include "tsrun/train/pretrain.h"
#include "tsrun/train/reading.h"

namespace tsrun {

namespace {

using nlohmann::json;

const nlohmann::json& field(const nlohmann::json& handle, const char* name) {
  const auto found = handle.find(name);
  if (found == handle.end()) internal_error("a handle without '{}': {}", name, handle.dump());
  return *found;
}

}  // namespace

nlohmann::json identity(const nlohmann::json& handle) {
  if (handle.is_null()) return nullptr;
  nlohmann::json result = {{"artifact", field(handle, "artifact")}, {"key", field(handle, "key")}};
  for (const char* place : {"stage", "inside"})
    if (handle.contains(place)) result[place] = handle[place];
  return result;
}

std::filesystem::path folder_of(Lab& lab, const nlohmann::json& handle) {
  const std::string kind = field(handle, "artifact"), key = field(handle, "key");
  // A trajectory recorded during a training is a folder inside that training's artifact, as a joint space's decoders are inside its own.
  if (handle.contains("stage")) return lab.store().get(handle["stage"], key).path / handle.value("inside", kind);
  return lab.store().get(kind, key).path;
}

Task named_task(const std::string& specification, const std::string& as) {
  Task task = specification.starts_with("builtin:") ? make_builtin_task(specification) : load_task(specification);
  return as == "text_to_text" ? as_text_to_text(task) : task;
}

Task task_of(const nlohmann::json& handle) {
  const std::string specification = field(handle, "spec"), key = field(handle, "key");
  Task task = named_task(specification, handle.value("as", "itself"));
  if (task.digest != key)
    data_error("{}: the task has changed since the recipe started (was {:.8}, is {:.8})", specification, key, task.digest);
  return task;
}

Model model_of(const nlohmann::json& handle, const HeadSpec& head, Key key) {
  require_unchanged(handle);
  return load_model(field(handle, "path").get<std::string>(), head, key, handle.value("spec", ""));
}

std::vector<std::shared_ptr<const Delta>> deltas_of(const PluginHost& plugins, const nlohmann::json& handle, const Family& family) {
  std::vector<std::shared_ptr<const Delta>> deltas;
  for (const auto& given : handle.value("deltas", nlohmann::json::array())) deltas.push_back(attach_delta(plugins, given, family));
  return deltas;
}

std::shared_ptr<const Family> plain_family(const nlohmann::json& handle, const HeadSpec& head) {
  const std::filesystem::path folder = field(handle, "path").get<std::string>();
  return make_family(CheckpointFolder::open(folder).config(), head, (folder / "config.json").string());
}

std::shared_ptr<const Family> family_of(const PluginHost& plugins, const nlohmann::json& handle, const HeadSpec& head) {
  const std::shared_ptr<const Family> base = plain_family(handle, head);
  const auto deltas = deltas_of(plugins, handle, *base);
  return deltas.empty() ? base : adapt(base, deltas);
}

void attach_deltas(const PluginHost& plugins, const nlohmann::json& handle, Model& model, Key key) {
  const auto deltas = deltas_of(plugins, handle, *model.family);
  if (deltas.empty()) return;
  model.family = adapt(model.family, deltas);
  const auto& all = handle.at("deltas");
  for (size_t i = 0; i < deltas.size(); ++i) {
    const json seed = all[i].value("seed", json());
    const Key own = seed.is_null() ? key : Key::root(seed.get<uint64_t>()).split("init").split("delta");
    add_first_values({deltas[i]}, model.weights, own);
  }
  for (size_t i = 0; i < deltas.size(); ++i) {
    if (!all[i].contains("values")) continue;
    const std::string folder = all[i].at("values");
    if (all[i].contains("content") && all[i].at("content") != peft_files(folder))
      data_error("{}: its files are no longer those that the model was adapted with: run the recipe again", folder);
    take_peft_values(plugins.delta(all[i].at("method")), folder, *deltas[i], model);
    require_finite(model.weights, folder);
  }
}

Setting setting_of(Lab& lab, const nlohmann::json& task_handle, const nlohmann::json& model_handle, Key key) {
  const Reader reader = plain_family(model_handle, {})->reader();
  Setting setting;
  setting.task = task_for(task_of(task_handle), reader);
  setting.model = model_of(model_handle, head_for(setting.task, reader), key);
  for (const auto& delta : deltas_of(lab.plugins(), model_handle, *setting.model.family)) {
    for (const std::string& name : delta->trained_parameters()) setting.trained_parameters.push_back(name);
  }
  const bool new_head = !setting.model.initialised.empty() && !model_handle.contains("deltas");
  match_labels(setting.task, setting.model, new_head, model_handle.value("spec", field(model_handle, "path").get<std::string>()));
  attach_deltas(lab.plugins(), model_handle, setting.model, key.split("delta"));
  return setting;
}

Trajectory trajectory_of(Lab& lab, const nlohmann::json& handle) { return Trajectory::open(folder_of(lab, handle)); }

std::shared_ptr<const Subspace> subspace_of(Lab& lab, const nlohmann::json& handle) {
  return load_subspace(folder_of(lab, handle),
                       [&lab](const std::string& method) -> const SubspaceMaker& { return lab.plugins().subspace_maker(method); });
}

std::shared_ptr<const Mask> mask_of(Lab& lab, const nlohmann::json& handle) {
  return std::make_shared<const Mask>(load_mask(folder_of(lab, handle)));
}

std::filesystem::path solution_file(Lab& lab, const nlohmann::json& handle, const std::string& which) {
  const auto file = folder_of(lab, handle) / (which + ".safetensors");
  if (!std::filesystem::exists(file))
    user_error("this training kept no '{}' weights: train it with keep = \"all\"{}", which, which == "mean" ? " and record = {…}" : "");
  return file;
}

Weights solution_weights(Lab& lab, const nlohmann::json& handle, const std::string& which, const Family& family) {
  return load_weights(solution_file(lab, handle, which), family);
}

at::Tensor update_of(Lab& lab, const nlohmann::json& solution, const ParameterSet& set, const Family& family, const Weights& origin) {
  const auto folder = folder_of(lab, solution);
  if (std::filesystem::exists(folder / "coordinates.safetensors")) {
    const auto subspace = subspace_of(lab, field(solution, "subspace"));
    if (const auto difference = first_difference(set.layout, subspace->parameters().layout))
      data_error("the basis has another layout: {}", *difference);
    const auto file = SafetensorsFile::open(folder / "coordinates.safetensors");
    at::Tensor update = at::zeros({set.layout.total()});
    subspace->expand(as_tensor(*file.find("z")), update);
    return update;
  }
  return flatten(solution_weights(lab, solution, "last", family), set.layout) - flatten(origin, set.layout);
}

}  // namespace tsrun
