#include "app/command_line.h"
#include "app/verbs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/parallel.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/data/builtin.h"
#include "tsrun/experiment/model_source.h"
#include "tsrun/train/effects.h"
#include "tsrun/train/train.h"

#include <iostream>

/// The verbs tokenize and predict: a model's input ids, and its answers.
namespace tsrun::app {
namespace {

using nlohmann::json;

std::unique_ptr<Tokenizer> tokenizer_of(const std::string& model) {
  return model.starts_with("builtin:") ? make_builtin_tokenizer(model.substr(8)) : load_tokenizer(resolve_model_folder(model));
}

Encoding encode_line(const Tokenizer& tokenizer, const std::string& line, bool pairs, int64_t number) {
  if (!pairs) return tokenizer.encode(line);
  const auto tab = line.find('\t');
  if (tab == line.npos || line.find('\t', tab + 1) != line.npos)
    data_error("standard input:{}: expected two texts with one tab between them, found {}", number,
               tab == line.npos ? "no tab" : "several tabs");
  return tokenizer.encode(line.substr(0, tab), line.substr(tab + 1));
}

/// The answer of one row, in the form of the task.
json prediction(const Task& task, const Predictions& predictions, size_t row) {
  json line = {{"index", row}};
  if (!predictions.tags.empty()) {
    line["labels"] = json::array();
    for (const int64_t tag : predictions.tags[row])
      line["labels"].push_back(tag < 0 ? json() : json(task.labels.at(static_cast<size_t>(tag))));
    return line;
  }
  if (!predictions.logits.empty()) line["logits"] = predictions.logits[row];
  if (!predictions.texts.empty()) {
    line["text"] = predictions.texts[row];
  } else if (task.kind == TaskKind::classification) {
    line["label"] = task.labels.at(static_cast<size_t>(predictions.values[row]));
  } else {
    line["label"] = predictions.values[row];
  }
  return line;
}

}  // namespace

void tokenize(const Command& command) {
  const auto tokenizer = tokenizer_of(command.operands.front());
  int64_t number = 0;
  for (std::string line; std::getline(std::cin, line);)
    print_result(json(encode_line(*tokenizer, line, command.pairs, ++number).ids).dump() + "\n");
}

void predict(const Command& command) {
  set_threads(command.threads.value_or(0));
  json given = typed_values(command.values);
  if (command.max_length) given["max_length"] = *command.max_length;
  const Options reading = text_options().resolve(given, "tsrun predict");
  const auto& name = command.operands[1];
  const ModelSource source = source_of(command.lab, command.operands[0]);
  const ModelKind model_kind = model_kind_of(source);
  Task task = task_for(name.starts_with("builtin:") ? make_builtin_task(name) : load_task(name), model_kind);
  if (task.kind == TaskKind::language_modelling) user_error("tsrun predict: a language modelling task has no answers; try 'tsrun score'");
  require_read(reading, task);
  Model model = load_source(command.lab, source, head_for(task, model_kind), command.delta);
  match_labels(task, model, /*new_head=*/false, command.operands[0]);
  Predictions predictions;
  evaluate(*model.family, model.weights, make_evaluation_set(model, task, command.split, reading), command.lab.device, &predictions);
  std::string text;
  for (size_t row = 0; row < task.split(command.split).examples.size(); ++row) text += prediction(task, predictions, row).dump() + "\n";
  print_result(text);
}

}  // namespace tsrun::app
