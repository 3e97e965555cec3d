#include "experiment/handles.h"
#include "experiment/identity.h"
#include "experiment/peft.h"
#include "experiment/taken_options.h"

#include "tsrun/base/error.h"

#include "tsrun/base/hash.h"
#include "tsrun/base/suggest.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/data/builtin.h"
#include "tsrun/train/pretrain.h"

#include <algorithm>

/// Operations that name models and tasks.
namespace tsrun {

namespace {

using nlohmann::json;

/// Learning rates and epochs that suit a model when a recipe leaves them open. Real checkpoints: the values of Hugging Face's GLUE script
/// (5e-5, 3 epochs); the small built-in model needs larger steps.
json training_defaults(bool builtin) {
  return builtin ? json{{"lr", 1e-3}, {"lr_head", 1e-3}, {"epochs", 8}} : json{{"lr", 5e-5}, {"lr_head", 5e-5}, {"epochs", 3}};
}

json describe_family(const Family& family) {
  int64_t total = 0, encoder = 0;
  for (const auto& parameter : family.parameters()) {
    int64_t size = 1;
    for (const int64_t extent : parameter.shape) size *= extent;
    total += size;
    if (parameter.part == Part::encoder || parameter.part == Part::decoder) encoder += size;
  }
  return {{"family", family.model_type()},
          {"layers", family.layers()},
          {"hidden_size", family.hidden_size()},
          {"parameters", total},
          {"encoder_parameters", encoder}};
}

json builtin_model(Lab& lab, const std::string& specification) {
  const std::string name = specification.substr(std::string("builtin:").size());
  const auto& known = builtin_model_names();
  if (std::find(known.begin(), known.end(), name) == known.end())
    user_error("unknown built-in model '{}'{}; there are {}", name, did_you_mean(name, known), join_words(known));
  const StageKey key{"model", {{"name", name}, {"language", builtin_version()}, {"model", builtin_model_version(name)}}};
  json handle = lab.stage(key, "pretrain " + specification, json{{"quality", {{"held_out_loss", 0.0}, {"held_out_accuracy", 0.0}}}},
                          [&](const auto& out, const auto& work) {
                            json quality;
                            const Model model = pretrain_builtin(name, work, &quality);
                            save_model(model, out);
                            json summary = describe_family(*model.family);
                            summary["quality"] = quality;
                            return summary;
                          });
  if (!handle.value("planned", false)) handle["path"] = folder_of(lab, handle).string();
  return handle;
}

json run_model(Lab& lab, const Options& options) {
  const std::string specification = options.text("spec");
  const bool builtin = specification.starts_with("builtin:");
  json handle;
  if (builtin) {
    handle = builtin_model(lab, specification);
  } else {
    const auto path = resolve_model_folder(specification);
    const auto folder = CheckpointFolder::open(path);
    const auto family = make_family(folder.config(), HeadSpec{}, (path / "config.json").string());
    const std::string digest = model_digest(path);
    handle = {{"artifact", "model"}, {"key", digest}, {"content", digest}, {"path", std::filesystem::absolute(path).string()}};
    handle.update(describe_family(*family));
  }
  handle["spec"] = specification;
  handle["defaults"] = training_defaults(builtin);
  return handle;
}

json run_task(Lab&, const Options& options) {
  const std::string specification = options.text("spec");
  const bool builtin = specification.starts_with("builtin:");
  const Task task = named_task(specification, options.text("as"));
  json splits = json::object();
  for (const auto& [name, split] : task.splits) splits[name] = {{"rows", split.examples.size()}, {"majority_score", split.majority_score}};
  return {{"artifact", "task"},
          {"key", task.digest},
          {"name", task.name},
          {"as", options.text("as")},
          {"spec", builtin ? specification : std::filesystem::absolute(specification).string()},
          {"kind", name_of(task.kind)},
          {"metric", task.metrics.front()},
          {"metrics", task.metrics},
          {"splits", splits}};
}

/// The options of the named method are those of the call.
OptionTable method_options(Lab& lab, const json& arguments) {
  const json name = arguments.value("method", json());
  return name.is_string() ? lab.plugins().delta(name.get<std::string>()).options() : OptionTable();
}

/// The delta that is asked for: a method with its options, or what PEFT saved.
json asked_delta(Lab& lab, const Options& o) {
  if (o.has("method") == o.has("peft")) user_error("adapt: give either 'method' or 'peft'");
  if (o.has("peft") && o.has("seed")) user_error("adapt: 'seed' draws first values, which 'peft' has already; give one of them");
  if (o.has("peft")) {
    json delta = delta_of_peft(lab.plugins(), o.text("peft"));
    delta["content"] = peft_files(o.text("peft"));
    return delta;
  }
  const DeltaMethod& method = lab.plugins().delta(o.text("method"));
  json delta = {{"method", method.name()}, {"version", method.version()}, {"options", taken_options(method.options(), o).json()}};
  if (o.has("seed")) delta["seed"] = o.integer("seed");
  return delta;
}

/// The model with the head that it may have by itself: a language model's, where a delta may sit.
std::shared_ptr<const Family> family_to_adapt(const json& handle) {
  const auto bare = plain_family(handle, {});
  if (bare->reader() == Reader::encoder) return bare;
  return plain_family(handle, {bare->reader() == Reader::causal ? HeadKind::causal_lm : HeadKind::seq2seq_lm, 0});
}

json run_adapt(Lab& lab, const Options& o) {
  const json added = asked_delta(lab, o);
  json handle = o.value("model");
  json keyed = added;
  keyed.erase("values");  // a place; `content` is what lies there
  handle["key"] = sha256(json{{"model", handle.at("key")}, {"delta", keyed}}.dump());
  if (!handle.contains("deltas")) handle["deltas"] = json::array();
  handle["deltas"].push_back(added);
  if (handle.value("planned", false)) return handle;  // there is no folder to look into yet
  json matches = handle.value("matches", json::array());
  auto numbers = handle.value("delta_parameters", int64_t{0});
  for (const DeltaMatch& match : attach_delta(lab.plugins(), added, *family_to_adapt(handle))->matches()) {
    matches.push_back({{"method", added.at("method")}, {"pattern", match.pattern}, {"module", match.module}, {"numbers", match.numbers}});
    numbers += match.numbers;
  }
  handle["matches"] = matches;
  handle["delta_parameters"] = numbers;
  return handle;
}

}  // namespace

std::vector<Operation> model_operations() {
  return {
      {.name = "adapt",
       .doc = "A model with a delta method attached (lora, ia3, …); again for several. It trains the delta and the head, unless told "
              "otherwise.",
       .options =
           {{.name = "model", .type = OptionType::artifact, .doc = "from ts.model or ts.adapt", .required = true, .choices = {"model"}},
            {.name = "method", .type = OptionType::text, .doc = "name of a delta plugin"},
            {.name = "peft", .type = OptionType::text, .doc = "instead: folder that PEFT saved; its values are the first ones"},
            {.name = "seed",
             .type = OptionType::integer,
             .doc = "every training starts from the first values that one with this seed would draw; absent: each draws under its own",
             .minimum = 0}},
       .run = run_adapt,
       .more = method_options},
      {.name = "model",
       .doc = "A pre-trained model: a Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>.",
       .options = {{.name = "spec", .type = OptionType::text, .doc = "folder, hf:<repo id>, or builtin:<name>", .required = true}},
       .run = run_model,
       .on_device = false},  // a built-in model is pre-trained on the CPU
      {.name = "task",
       .doc = "A task: a folder with a task.toml, or builtin:<name>.",
       .options = {{.name = "spec", .type = OptionType::text, .doc = "folder with a task.toml, or builtin:<name>", .required = true},
                   {.name = "as",
                    .type = OptionType::choice,
                    .fallback = "itself",
                    .doc = "text_to_text: asked and answered in words, as the task's verbaliser says",
                    .choices = {"itself", "text_to_text"}}},
       .run = run_task},
      {.name = "builtin_tasks",
       .doc = "Names of the generated tasks.",
       .options = {},
       .run = [](Lab&, const Options&) { return json(builtin_task_names()); }},
  };
}

}  // namespace tsrun
