#include "data/rows.h"
#include "tsrun/base/error.h"

#include <algorithm>
#include <numeric>

namespace tsrun {
namespace data {
namespace {

std::string_view with_article(ModelKind model_kind) {
  if (model_kind == ModelKind::encoder) return "an encoder";
  return model_kind == ModelKind::causal ? "a causal model" : "an encoder-decoder";
}

/// Kinds of model that can take a task, for messages.
std::string_view readers_of(const Task& task) {
  switch (task.kind) {
    case TaskKind::classification:
    case TaskKind::regression:
      return "an encoder or a causal model, or the task as text_to_text";
    case TaskKind::token_classification:
      return "an encoder or a causal model";
    case TaskKind::multiple_choice:
    case TaskKind::text_to_text:
      return "a causal model or an encoder-decoder";
    case TaskKind::language_modelling:
      break;
  }
  if (task.objective == Objective::causal) return "a causal model";
  return task.objective == Objective::masked ? "an encoder" : "an encoder or a causal model";
}

bool can_read(const Task& task, ModelKind model_kind) {
  const bool answers = task.kind == TaskKind::text_to_text || task.kind == TaskKind::multiple_choice;
  if (answers) return model_kind != ModelKind::encoder;
  if (model_kind == ModelKind::encoder_decoder) return false;
  const Objective made_for = model_kind == ModelKind::causal ? Objective::causal : Objective::masked;
  return task.kind != TaskKind::language_modelling || !task.objective || *task.objective == made_for;
}

void require_reader(const Task& task, ModelKind model_kind) {
  if (can_read(task, model_kind)) return;
  const char* objective = !task.objective ? "" : *task.objective == Objective::causal ? " (causal)" : " (masked)";
  user_error("task '{}' is a {}{}, which {} cannot read; expected {}", task.name, name_of(task.kind), objective, with_article(model_kind),
             readers_of(task));
}

EncodedSplit encode_texts(const Split& split, const Tokenizer& tokenizer, int64_t max_length) {
  std::vector<std::string> alone, first, second;
  for (const Example& example : split.examples) {
    (example.second ? first : alone).push_back(example.first);
    if (example.second) second.push_back(*example.second);
  }
  std::vector<Encoding> singles = encode_batch(tokenizer, alone, {}, max_length),
                        pairs = encode_batch(tokenizer, first, second, max_length);
  auto single = singles.begin(), pair = pairs.begin();
  EncodedSplit encoded;
  for (const Example& example : split.examples) {
    encoded.rows.push_back(std::move(example.second ? *pair++ : *single++));
    encoded.targets.push_back(example.target);
  }
  encoded.examples.resize(encoded.rows.size());
  std::iota(encoded.examples.begin(), encoded.examples.end(), int64_t{0});
  return encoded;
}

const std::string& option_at(const std::vector<std::string>& options, double target, const Task& task) {
  const auto index = static_cast<size_t>(target);
  if (target < 0 || index >= options.size())
    internal_error("task '{}': found the target {}, expected one of {} options", task.name, target, options.size());
  return options[index];
}

/// A row for each different answer; no alternatives where every example has one.
EncodedSplit encode_all_answers(const Task& task, const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options) {
  std::vector<Answer> answers;
  std::vector<int64_t> firsts;
  for (const Example& example : split.examples) {
    option_at(example.answers, 0, task);
    firsts.push_back(static_cast<int64_t>(answers.size()));
    for (auto text = example.answers.begin(); text != example.answers.end(); ++text)
      if (std::find(example.answers.begin(), text, *text) == text) answers.push_back({&example, *text, example.target});
  }
  EncodedSplit encoded = encode_answers(task, split, answers, tokenizer, options);
  firsts.push_back(encoded.size());
  if (answers.size() > split.examples.size()) encoded.alternatives = std::move(firsts);
  return encoded;
}

Answer right_answer(const Task& task, const Example& example) {
  if (task.kind == TaskKind::multiple_choice) return {&example, option_at(example.answers, example.target, task), example.target};
  return {&example, option_at(example.answers, 0, task), example.target};
}

/// `encoded`, after `require_known_ids`.
EncodedSplit readable(EncodedSplit encoded, const Split& split, const Tokenizer& tokenizer, int64_t vocabulary) {
  if (vocabulary == 0 || tokenizer.vocabulary_size() <= vocabulary) return encoded;
  const bool known = encoded.examples.size() == encoded.rows.size();
  const bool targets = !encoded.token_targets.empty() && (!encoded.prompts.empty() || !encoded.bytes.empty());  // words, not tags
  for (size_t row = 0; row < encoded.rows.size(); ++row) {
    const int64_t number = known ? encoded.examples[row] : static_cast<int64_t>(row);
    const std::string where = fmt::format("split '{}', row {} (from 0)", split.name, number);
    require_known_ids(tokenizer, encoded.rows[row].ids, vocabulary, where);
    if (!encoded.decoder_rows.empty()) require_known_ids(tokenizer, encoded.decoder_rows[row], vocabulary, where);
    if (targets) require_known_ids(tokenizer, encoded.token_targets[row], vocabulary, where);
  }
  return encoded;
}

EncodedSplit rows_of(const Task& task, const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options) {
  if (task.kind == TaskKind::language_modelling) return encode_documents(split, tokenizer, options);
  if (task.kind == TaskKind::token_classification) return encode_words(split, tokenizer, options);
  if (task.kind == TaskKind::classification || task.kind == TaskKind::regression) return encode_texts(split, tokenizer, options.max_length);
  if (options.all_answers && task.kind == TaskKind::text_to_text) return encode_all_answers(task, split, tokenizer, options);
  std::vector<Answer> answers;
  for (const Example& example : split.examples) answers.push_back(right_answer(task, example));
  return encode_answers(task, split, answers, tokenizer, options);
}

}  // namespace

}  // namespace data

void require_known_ids(const Tokenizer& tokenizer, std::span<const int64_t> ids, int64_t vocabulary, const std::string& where) {
  const auto beyond = std::find_if(ids.begin(), ids.end(), [&](int64_t id) { return id >= vocabulary; });
  if (beyond == ids.end()) return;
  data_error("{}: the token '{}' has the id {}, but the model's vocab_size is {}", where, tokenizer.token(*beyond), *beyond, vocabulary);
}

EncodedSplit encode_split(const Task& task, const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options) {
  data::require_reader(task, options.model_kind);
  return data::readable(data::rows_of(task, split, tokenizer, options), split, tokenizer, options.vocabulary);
}

EncodedSplit encode_options(const Task& task, const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options) {
  const bool choice = task.kind == TaskKind::multiple_choice;
  if (!choice && (task.kind != TaskKind::text_to_text || task.labels.empty())) {
    user_error("task '{}' is a {} without options, expected a multiple_choice, or a text_to_text whose labels are listed", task.name,
               name_of(task.kind));
  }
  data::require_reader(task, options.model_kind);
  std::vector<data::Answer> answers;
  for (const Example& example : split.examples) {
    const std::vector<std::string>& texts = choice ? example.answers : task.labels;
    for (size_t option = 0; option < texts.size(); ++option) answers.push_back({&example, texts[option], static_cast<double>(option)});
  }
  return data::readable(data::encode_answers(task, split, answers, tokenizer, options), split, tokenizer, options.vocabulary);
}

}  // namespace tsrun
