#include "experiment/identity.h"
#include "experiment/peft.h"
#include "experiment/stored.h"
#include "experiment/summaries.h"
#include "experiment/taken_options.h"
#include "experiment/task_model.h"

#include "tsrun/base/error.h"

#include "tsrun/base/hash.h"
#include "tsrun/base/suggest.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/data/builtin.h"
#include "tsrun/train/pretrain.h"

#include <algorithm>

/// Operations that name models and tasks.
namespace tsrun {

using nlohmann::json;

namespace experiment {
namespace {

/// Real checkpoints: the values of Hugging Face's GLUE script (5e-5, 3 epochs). The small built-in model needs larger steps.
ModelRef::Defaults training_defaults(bool builtin) {
  return builtin ? ModelRef::Defaults{.lr = 1e-3, .lr_head = 1e-3, .epochs = 8}
                 : ModelRef::Defaults{.lr = 5e-5, .lr_head = 5e-5, .epochs = 3};
}

/// A model that the program pre-trains.
struct BuiltinSummary {
  json family = json::object();
  json quality = {{"held_out_loss", 0.0}, {"held_out_accuracy", 0.0}};  ///< of the pre-training

  json to_json() const {
    json summary = family;
    summary["quality"] = quality;
    return summary;
  }
};

BuiltinSummary builtin_into(const std::string& name, const std::filesystem::path& out, const std::filesystem::path& work) {
  BuiltinSummary summary;
  const Model model = pretrain_builtin(name, work, &summary.quality);
  save_model(model, out);
  summary.family = describe_family(*model.family);
  return summary;
}

ModelRef builtin_model(Lab& lab, const std::string& specification) {
  const std::string name = specification.substr(std::string("builtin:").size());
  const auto& known = builtin_model_names();
  if (std::find(known.begin(), known.end(), name) == known.end())
    user_error("unknown built-in model '{}'{}; there are {}", name, did_you_mean(name, known), join_words(known));
  const StageKey key{"model", {{"name", name}, {"language", builtin_version()}, {"model", builtin_model_version(name)}}};
  BuiltinSummary plan;
  if (lab.settings().plan_only) plan.family = describe_family(*builtin_family(name));
  auto model = ref_to<ModelRef>(lab.stage(key, "pretrain " + specification, plan.to_json(),
                                          [&](const auto& out, const auto& work) { return builtin_into(name, out, work).to_json(); }));
  if (!model.planned) model.path = folder_of(lab, model).string();
  return model;
}

ModelRef model_in_folder(const std::string& specification) {
  const auto path = resolve_model_folder(specification);
  const auto family = make_family(CheckpointFolder::open(path).config(), HeadSpec{}, (path / "config.json").string());
  ModelRef model;
  model.kind = "model";
  model.key = model_digest(path);
  model.content = model.key;
  model.path = std::filesystem::absolute(path).string();
  model.facts = describe_family(*family);
  return model;
}

json run_model(Lab& lab, const Options& options) {
  const std::string specification = options.text("spec");
  const bool builtin = specification.starts_with("builtin:");
  ModelRef model = builtin ? builtin_model(lab, specification) : model_in_folder(specification);
  model.spec = specification;
  model.defaults = training_defaults(builtin);
  return model.to_json();
}

WordControl word_control(const Options& options) {
  const std::string rule = options.text("words");
  WordControl control{.seed = static_cast<uint64_t>(options.integer("words_seed")), .every_split = options.text("words_in") == "all"};
  if (rule == "shuffled") control.rule = WordRule::shuffled;
  if (rule == "uniform") control.rule = WordRule::uniform;
  return control;
}

json run_task(Lab&, const Options& options) {
  const std::string specification = options.text("spec");
  const WordControl words = word_control(options);
  const Task task = named_task(specification, options.text("as"), words);
  TaskRef ref;
  ref.words = words;
  ref.kind = "task";
  ref.key = task.digest;
  ref.name = task.name;
  ref.as = options.text("as");
  ref.spec = specification.starts_with("builtin:") ? specification : std::filesystem::absolute(specification).string();
  ref.metric = task.metrics.front();
  for (const auto& [name, split] : task.splits)
    ref.splits[name] = {.rows = static_cast<int64_t>(split.examples.size()), .majority_score = split.majority_score};
  ref.facts = {{"kind", name_of(task.kind)}, {"metrics", task.metrics}, {"labels", task.labels}};
  return ref.to_json();
}

/// Options of the named method.
OptionTable method_options(Lab& lab, const json& arguments) {
  const json name = arguments.value("method", json());
  return name.is_string() ? lab.plugins().delta(name.get<std::string>()).options() : OptionTable();
}

/// A method with its options, or a folder of PEFT.
DeltaRef asked_delta(Lab& lab, const Options& o) {
  if (o.has("method") == o.has("peft")) user_error("adapt: give either 'method' or 'peft'");
  if (o.has("peft") && o.has("seed")) user_error("adapt: 'seed' is of initial values, which 'peft' has already; give one of them");
  if (o.has("peft")) {
    DeltaRef delta = delta_of_peft(lab.plugins(), o.text("peft"));
    delta.content = peft_files(o.text("peft"));
    return delta;
  }
  const DeltaMethod& method = lab.plugins().delta(o.text("method"));
  DeltaRef delta{.method = method.name(),
                 .version = method.version(),
                 .options = taken_options(method.options(), o),
                 .seed = {},
                 .values = {},
                 .content = {}};
  if (o.has("seed")) delta.seed = static_cast<uint64_t>(o.integer("seed"));
  return delta;
}

/// The family with a language model's own head, which a delta may adapt; an encoder without a head.
std::shared_ptr<const Family> family_to_adapt(const ModelRef& model) {
  const auto bare = plain_family(model, {});
  if (bare->model_kind() == ModelKind::encoder) return bare;
  return plain_family(model, {bare->model_kind() == ModelKind::causal ? HeadKind::causal_lm : HeadKind::seq2seq_lm, 0});
}

void add_modules(Lab& lab, const DeltaRef& added, ModelRef& model) {
  if (!model.modules) model.modules.emplace();
  for (const DeltaMatch& match : attach_delta(lab.plugins(), added, *family_to_adapt(model))->matches()) {
    model.modules->push_back({.method = added.method, .pattern = match.pattern, .module = match.module, .numbers = match.numbers});
    model.delta_parameters += match.numbers;
  }
}

/// Refuses, before any training, deltas that cannot act together in this order. @throws Error(user)
void check_together(Lab& lab, const ModelRef& model) {
  const auto family = family_to_adapt(model);
  std::vector<std::shared_ptr<const Delta>> deltas;
  for (const DeltaRef& delta : model.deltas) deltas.push_back(attach_delta(lab.plugins(), delta, *family));
  adapt(family, deltas);
}

/// The place of PEFT's folder is in no key; its content is.
std::string adapted_key(const ModelRef& model, DeltaRef delta) {
  delta.values = {};
  return sha256(json{{"model", model.key}, {"delta", delta.to_json()}}.dump());
}

json run_adapt(Lab& lab, const Options& o) {
  const DeltaRef added = asked_delta(lab, o);
  auto model = ModelRef::from_json(o.value("model"));
  model.key = adapted_key(model, added);
  model.deltas.push_back(added);
  if (model.planned) return model.to_json();  // it has no folder to look into yet
  add_modules(lab, added, model);
  if (model.deltas.size() > 1) check_together(lab, model);
  return model.to_json();
}

}  // namespace

}  // namespace experiment

std::vector<Operation> model_operations() {
  return {
      {.name = "adapt",
       .doc = "A model with a delta method attached (lora, ia3, …); again for several. Trainings of it train the delta and the head by "
              "default.",
       .options =
           {{.name = "model", .type = OptionType::artifact, .doc = "from ts.model or ts.adapt", .required = true, .choices = {"model"}},
            {.name = "method", .type = OptionType::text, .doc = "name of a delta plugin"},
            {.name = "peft", .type = OptionType::text, .doc = "instead: folder of PEFT, with the initial values"},
            {.name = "seed",
             .type = OptionType::integer,
             .doc = "of the delta's initial values in every training; absent: each training's own seed",
             .minimum = 0}},
       .result = "model",
       .run = experiment::run_adapt,
       .more = experiment::method_options},
      {.name = "model",
       .doc = "A pre-trained model: a Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>.",
       .options = {{.name = "spec", .type = OptionType::text, .doc = "folder, hf:<repo id>, or builtin:<name>", .required = true}},
       .result = "model",
       .run = experiment::run_model,
       .on_device = false},  // a built-in model is pre-trained on the CPU
      {.name = "task",
       .doc = "A task: a folder with a task.toml, or builtin:<name>; as it is, in words, or with its words shuffled or drawn.",
       .options = {{.name = "spec", .type = OptionType::text, .doc = "folder with a task.toml, or builtin:<name>", .required = true},
                   {.name = "as",
                    .type = OptionType::choice,
                    .fallback = "itself",
                    .doc = "text_to_text: questions and answers in words, by the task's verbaliser",
                    .choices = {"itself", "text_to_text"}},
                   {.name = "words",
                    .type = OptionType::choice,
                    .fallback = "as_written",
                    .doc =
                        "controls of language modelling. shuffled: the words of a split permuted over all of it, so that frequencies stay "
                        "and order is gone; uniform: each word drawn from the different words of the training split, so that "
                        "frequencies are gone too",
                    .choices = {"as_written", "shuffled", "uniform"}},
                   {.name = "words_seed", .type = OptionType::integer, .fallback = 1, .doc = "of shuffled and uniform", .minimum = 0},
                   {.name = "words_in",
                    .type = OptionType::choice,
                    .fallback = "train",
                    .doc = "splits whose words are shuffled or drawn: train or all",
                    .choices = {"train", "all"}}},
       .result = "task",
       .run = experiment::run_task},
      {.name = "builtin_tasks",
       .doc = "Names of the generated tasks, without the text of language modelling, builtin:stories.",
       .options = {},
       .run = [](Lab&, const Options&) { return json(builtin_task_names()); }},
  };
}

}  // namespace tsrun
