#include "experiment/task_model.h"

#include "experiment/identity.h"
#include "experiment/peft.h"
#include "tsrun/base/error.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/data/builtin.h"
#include "tsrun/model/finite.h"
#include "tsrun/train/reading.h"

namespace tsrun::experiment {

namespace {

/// Initial values of one delta's tensors.
void initialise(const DeltaRef& ref, const std::shared_ptr<const Delta>& delta, const std::vector<std::shared_ptr<const Delta>>& in_front,
                Model& model, Key key) {
  const Key own = ref.seed ? Key::root(*ref.seed).split("init").split("delta") : key;
  add_initial_values({delta}, model.weights, own, in_front);
}

void read_values(const PluginHost& plugins, const DeltaRef& ref, const Delta& delta, Model& model) {
  if (!ref.values) return;
  if (ref.content && *ref.content != peft_files(*ref.values))
    data_error("{}: its files are no longer those that the model was adapted with: run the recipe again", *ref.values);
  take_peft_values(plugins.delta(ref.method), *ref.values, delta, model);
  require_finite(model.weights, *ref.values);
}

}  // namespace

Task named_task(const std::string& specification, const std::string& as, const WordControl& words) {
  Task task = specification.starts_with("builtin:") ? make_builtin_task(specification) : load_task(specification);
  task = with_words(std::move(task), words);
  return as == "text_to_text" ? as_text_to_text(task) : task;
}

Task task_of(const TaskRef& ref) {
  Task task = named_task(ref.spec, ref.as, ref.words);
  if (task.digest != ref.key)
    data_error("{}: the task has changed since the recipe started (was {:.8}, is {:.8})", ref.spec, ref.key, task.digest);
  return task;
}

Model model_of(const ModelRef& ref, const HeadSpec& head, Key key) {
  require_unchanged(ref);
  return load_model(ref.folder(), head, key, ref.spec);
}

std::vector<std::shared_ptr<const Delta>> attached(const PluginHost& plugins, const std::vector<DeltaRef>& deltas, const Family& family) {
  std::vector<std::shared_ptr<const Delta>> result;
  for (const DeltaRef& delta : deltas) result.push_back(attach_delta(plugins, delta, family));
  return result;
}

std::shared_ptr<const Family> plain_family(const ModelRef& ref, const HeadSpec& head) {
  const std::filesystem::path folder = ref.folder();
  return make_family(CheckpointFolder::open(folder).config(), head, (folder / "config.json").string());
}

std::shared_ptr<const Family> family_of(const PluginHost& plugins, const ModelRef& ref, const HeadSpec& head) {
  const std::shared_ptr<const Family> plain = plain_family(ref, head);
  return ref.adapted() ? adapt(plain, attached(plugins, ref.deltas, *plain)) : plain;
}

void attach_deltas(const PluginHost& plugins, const std::vector<DeltaRef>& refs, Model& model, Key key) {
  if (refs.empty()) return;
  const auto deltas = attached(plugins, refs, *model.family);
  model.family = adapt(model.family, deltas);
  std::vector<std::shared_ptr<const Delta>> in_front;
  for (size_t i = 0; i < refs.size(); ++i) {
    initialise(refs[i], deltas[i], in_front, model, key);
    read_values(plugins, refs[i], *deltas[i], model);
    in_front.push_back(deltas[i]);
  }
}

Weights starting_weights(const PluginHost& plugins, const ModelRef& ref, int64_t seed) {
  Model model = model_of(ref, {}, Key::root(0));
  attach_deltas(plugins, ref.deltas, model, Key::root(static_cast<uint64_t>(seed)).split("init").split("delta"));
  return model.weights;
}

TaskModel plain_task_model_of(const PluginHost& plugins, const TaskRef& task, const ModelRef& model, Key key) {
  const ModelKind model_kind = plain_family(model, {})->model_kind();
  TaskModel loaded;
  loaded.task = task_for(task_of(task), model_kind);
  loaded.model = model_of(model, head_for(loaded.task, model_kind), key);
  for (const auto& delta : attached(plugins, model.deltas, *loaded.model.family)) {
    for (const std::string& name : delta->trained_parameters()) loaded.trained_parameters.push_back(name);
  }
  const bool new_head = !loaded.model.initialised.empty() && !model.adapted();
  match_labels(loaded.task, loaded.model, new_head, model.spec);
  return loaded;
}

TaskModel task_model_of(const PluginHost& plugins, const TaskRef& task, const ModelRef& model, Key key) {
  TaskModel loaded = plain_task_model_of(plugins, task, model, key);
  attach_deltas(plugins, model.deltas, loaded.model, key.split("delta"));
  return loaded;
}

}  // namespace tsrun::experiment
