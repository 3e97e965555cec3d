#include "tsrun/train/reading.h"

#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/suggest.h"

#include <algorithm>

namespace tsrun {
namespace {

[[noreturn]] void cannot(const Task& task, std::string_view what, std::string_view could) {
  user_error("task '{}' is {}: {} cannot do it; {} can", task.name, name_of(task.kind), what, could);
}

HeadKind language_model(const Task& task, ModelKind model_kind) {
  if (model_kind == ModelKind::encoder_decoder) cannot(task, "an encoder-decoder", "a causal model or an encoder");
  const bool causal = model_kind == ModelKind::causal;
  if (task.objective && (*task.objective == Objective::causal) != causal) {
    user_error("task '{}' has the objective '{}', but the model is {}; expected {}", task.name, causal ? "masked" : "causal",
               causal ? "causal" : "an encoder", causal ? "an encoder" : "a causal model");
  }
  return causal ? HeadKind::causal_lm : HeadKind::masked_lm;
}

HeadKind writer(const Task& task, ModelKind model_kind) {
  if (model_kind == ModelKind::encoder) cannot(task, "an encoder, which writes nothing,", "a causal model or an encoder-decoder");
  return model_kind == ModelKind::causal ? HeadKind::causal_lm : HeadKind::seq2seq_lm;
}

/// LABEL_0, LABEL_1, …: names that say nothing.
bool numbered(const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] != "LABEL_" + std::to_string(i)) return false;
  }
  return true;
}

/// Whether a block begins with the state that the block in front of it left.
bool carries_state(const Family& family, const Options& reading) {
  if (!reading.has("carry_state")) return family.carries_state();
  const bool wanted = reading.flag("carry_state");
  if (!family.carries_state())
    user_error(
        "option 'carry_state' is {}, but nothing reads it: a model of type '{}' keeps no state from block to block; expected it to be left "
        "out",
        wanted, family.model_type());
  return wanted;
}

}  // namespace

Task task_for(const Task& task, ModelKind model_kind) {
  const bool judged = task.kind == TaskKind::classification || task.kind == TaskKind::regression;
  return model_kind == ModelKind::encoder_decoder && judged ? as_text_to_text(task) : task;
}

HeadSpec head_for(const Task& task, ModelKind model_kind) {
  switch (task.kind) {
    case TaskKind::classification:
    case TaskKind::regression:
      if (model_kind == ModelKind::encoder_decoder) internal_error("task '{}': an encoder-decoder takes it as text_to_text", task.name);
      return {task.kind == TaskKind::regression ? HeadKind::regression : HeadKind::classification, task.outputs()};
    case TaskKind::token_classification:
      if (model_kind == ModelKind::encoder_decoder) cannot(task, "an encoder-decoder", "an encoder or a causal model");
      return {HeadKind::token_classification, task.outputs()};
    case TaskKind::multiple_choice:
    case TaskKind::text_to_text:
      return {writer(task, model_kind), 0};
    case TaskKind::language_modelling:
      return {language_model(task, model_kind), 0};
  }
  internal_error("task kind {} is unknown", static_cast<int>(task.kind));
}

void match_labels(Task& task, Model& model, bool new_head, const std::string& where) {
  const HeadKind head = model.family->head().kind;
  if (head != HeadKind::classification && head != HeadKind::token_classification) return;
  const std::vector<std::string> names = label_names(model.family->config());
  if (auto ordered = in_order_of(task, names)) {
    task = std::move(*ordered);
  } else if (!new_head && !names.empty() && !numbered(names)) {
    log_warning("{}: id2label in config.json has {}, the task '{}' has {}: outputs are taken in the task's order", where, join_words(names),
                task.name, join_words(task.labels));
  }
  model.labels = task.labels;
}

OptionTable text_options() {
  return {
      {.name = "max_length",
       .type = OptionType::integer,
       .fallback = 128,
       .doc = "Longer rows are cut, longest text first; never beyond the model's positions. Of language modelling: length of a block.",
       .minimum = 4,
       .unit = "tokens"},
      {.name = "blocks",
       .type = OptionType::choice,
       .fallback = "separate",
       .doc = "Language modelling: each document is cut into blocks by itself, or documents are joined and blocks are full.",
       .choices = {"separate", "joined"}},
      {.name = "carry_state",
       .type = OptionType::boolean,
       .doc =
           "Language modelling by a recurrent model: a block begins with the state that the block in front of it left, and training rows "
           "keep their order, in as many streams as a batch has rows; absent: true where the model keeps a state."},
      {.name = "max_answer_length",
       .type = OptionType::integer,
       .fallback = 64,
       .doc = "Longest answer in words, its end token included.",
       .minimum = 1,
       .unit = "tokens"},
      {.name = "answer",
       .type = OptionType::choice,
       .fallback = "auto",
       .doc = "How an answer in words is found: written freely, or chosen among a task's options by their likelihood; auto: chosen for "
              "multiple_choice, else written.",
       .choices = {"auto", "generate", "choose"}},
      {.name = "choose_by",
       .type = OptionType::choice,
       .fallback = "sum",
       .doc = "Likelihood that options are compared by: of the whole text, or the mean over its tokens.",
       .choices = {"sum", "mean"}},
      {.name = "num_beams",
       .type = OptionType::integer,
       .doc = "Texts that are followed while writing; 1: greedy; absent: as the model's generation_config.json says, else 1.",
       .minimum = 1,
       .maximum = 256},
      {.name = "length_penalty",
       .type = OptionType::number,
       .doc = "Beams are ranked by their log-likelihood over length to this power; absent: as the model's generation_config.json says, "
              "else 1.",
       .minimum = -10,
       .maximum = 10},
      {.name = "do_sample",
       .type = OptionType::boolean,
       .doc = "Texts are never sampled: false lets a model write whose generation_config.json asks for samples."},
      {.name = "stop",
       .type = OptionType::list,
       .fallback = nlohmann::json::array(),
       .doc = "Texts that end an answer where they appear; they do not belong to it."},
  };
}

EncodeOptions encode_options_for(const Family& family, const Options& reading) {
  EncodeOptions options;
  options.max_length = std::min(reading.integer("max_length"), family.max_positions());
  options.model_kind = family.model_kind();
  options.decoder_start = family.decoder_start();
  options.max_answer_length = reading.integer("max_answer_length");
  options.vocabulary = family.config().at("vocab_size").get<int64_t>();
  options.continued = carries_state(family, reading);
  options.blocks = reading.text("blocks") == "joined" ? Blocks::joined : Blocks::separate;
  return options;
}

EncodedSplit encode_training_rows(const Model& model, const Task& task, const Options& options) {
  EncodeOptions encode = encode_options_for(*model.family, options);
  encode.all_answers = options.text("accepted_answers") == "random";
  EncodedSplit rows = encode_split(task, task.split("train"), *model.tokenizer, encode);
  if (rows.size() == 0) user_error("task '{}': the training split gives no rows to train on", task.name);
  return rows;
}

}  // namespace tsrun
