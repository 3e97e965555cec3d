#include "app/command_line.h"
#include "app/verbs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"
#include "tsrun/base/parallel.h"
#include "tsrun/data/metrics.h"
#include "tsrun/experiment/geometry.h"
#include "tsrun/experiment/model_source.h"
#include "tsrun/model/generate.h"
#include "tsrun/train/effects.h"
#include "tsrun/train/train.h"

/// The verbs generate and score, which show that a loaded model is the real one: it continues a text, and tells how likely a text is.
namespace tsrun::app {
namespace {

using nlohmann::json;

constexpr int64_t kMostNewTokens = 256;

GenerateOptions options_for(const Command& command, const Model& model) {
  const Options given = generate_verb_options().resolve(typed_values(command.values), "tsrun generate");
  json fields = given.json();
  for (const char* name : {"precision", "temperature", "top_k", "top_p"}) fields.erase(name);
  const auto sampling = sampling_of(given, Key::root(command.lab.seed).split("generate"));
  if (sampling) fields["do_sample"] = false;
  GenerateOptions options = generate_options(model.generation, *model.tokenizer, fields, kMostNewTokens);
  options.sampling = sampling;
  if (given.text("precision") == "bf16") options.forward.precision = Precision::bfloat16;
  return options;
}

constexpr int64_t kLongestScored = 1024;  ///< tokens of a block by default

/// Documents of a file as one split of a task.
Task text_task(const std::string& path) {
  Task task;
  task.name = std::filesystem::path(path).filename().string();
  task.kind = TaskKind::language_modelling;
  task.metrics = metric_names(TaskKind::language_modelling);
  Split split;
  split.name = "text";
  Example document;
  document.first = read_text(path);
  split.examples.push_back(std::move(document));
  task.splits["text"] = std::move(split);
  return task;
}

}  // namespace

OptionTable generate_verb_options() {
  OptionTable table = {
      {.name = "max_new_tokens",
       .type = OptionType::integer,
       .doc = "maximum number of new tokens; absent (like the next three): from generation_config.json, else 256",
       .minimum = 1},
      {.name = "num_beams", .type = OptionType::integer, .doc = "number of beams, by default 1: greedy", .minimum = 1, .maximum = 256},
      {.name = "length_penalty",
       .type = OptionType::number,
       .doc = "beams are ranked by log-likelihood over length to this power, by default 1"},
      {.name = "early_stopping", .type = OptionType::boolean, .doc = "stop when num_beams texts have ended, by default false"},
      {.name = "precision", .type = OptionType::choice, .fallback = "float32", .doc = "of the products", .choices = {"float32", "bf16"}},
  };
  return table.include(sampling_options());
}

std::optional<OptionTable> set_options(const std::string& verb) {
  if (verb == "generate") return generate_verb_options();
  if (verb == "geometry") return GeometryRequest::options();
  if (verb != "predict" && verb != "score") return std::nullopt;
  OptionTable options;
  const OptionTable reading = text_options();
  for (Option option : reading.all()) {
    if (verb == "score" && option.name == "max_length")
      option.fallback = nullptr, option.doc += fmt::format(" Absent: the model's maximum, up to {}.", kLongestScored);
    options.add(option);
  }
  return options;
}

void generate(const Command& command) {
  set_threads(command.threads.value_or(0));
  const ModelSource source = source_of(command.lab, command.operands[0]);
  const ModelKind model_kind = model_kind_of(source);
  if (model_kind == ModelKind::encoder)
    user_error("{}: an encoder writes no text; causal models and encoder-decoders do", command.operands[0]);
  const Model model =
      load_source(command.lab, source, {model_kind == ModelKind::causal ? HeadKind::causal_lm : HeadKind::seq2seq_lm, 0}, command.delta);
  const GenerateOptions options = options_for(command, model);
  std::vector<int64_t> ids = prompt_ids(*model.tokenizer, command.operands[1], model_kind, options.begin_id);
  require_known_ids(*model.tokenizer, ids, model.family->config().at("vocab_size").get<int64_t>(), "tsrun generate: the prompt");
  const auto written = generate(*model.family, model.weights, {ids}, options, command.lab.device);
  if (model_kind == ModelKind::encoder_decoder) ids.clear();
  ids.insert(ids.end(), written[0].ids.begin(), written[0].ids.end());
  print_result(model.tokenizer->decode(ids, /*skip_special_tokens=*/true) + "\n");
}

void score(const Command& command) {
  set_threads(command.threads.value_or(0));
  json given = typed_values(command.values);
  const ModelSource source = source_of(command.lab, command.operands[0]);
  const ModelKind model_kind = model_kind_of(source);
  const Task task = text_task(command.operands[1]);
  const Model model = load_source(command.lab, source, head_for(task, model_kind), command.delta);
  if (command.max_length) given["max_length"] = *command.max_length;
  if (!given.contains("max_length")) given["max_length"] = std::min<int64_t>(model.family->max_positions(), kLongestScored);
  const Options reading = text_options().resolve(given, "tsrun score");
  require_read(reading, task);
  const Evaluation result = evaluate(*model.family, model.weights, make_evaluation_set(model, task, "text", reading), command.lab.device);
  json line = result.metrics;
  line["loss"] = result.loss;
  print_result(line.dump() + "\n");
}

}  // namespace tsrun::app
