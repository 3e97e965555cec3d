#include "app/verbs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/data/builtin.h"
#include "tsrun/model/model.h"
#include "tsrun/train/train.h"

#include <iostream>

/// Two verbs for trust: the ids that a model reads, and the logits that it gives.
namespace tsrun {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// The folder of a model: as it is, from the hub cache, or made here the first time.
fs::path model_folder(const Command& command, const std::string& model) {
  if (!model.starts_with("builtin:")) return resolve_model_folder(model);
  Lab lab(command.lab);
  return lab.call("model", {{"spec", model}}).at("path").get<std::string>();
}

std::unique_ptr<Tokenizer> tokenizer_of(const std::string& model) {
  return model.starts_with("builtin:") ? make_builtin_tokenizer() : load_tokenizer(resolve_model_folder(model));
}

Encoding encode_line(const Tokenizer& tokenizer, const std::string& line, bool pairs, int64_t number) {
  if (!pairs) return tokenizer.encode(line);
  const auto tab = line.find('\t');
  if (tab == line.npos || line.find('\t', tab + 1) != line.npos)
    data_error("standard input:{}: expected two texts with one tab between them, found {}", number,
               tab == line.npos ? "no tab" : "several tabs");
  return tokenizer.encode(line.substr(0, tab), line.substr(tab + 1));
}

HeadSpec head_for(const Task& task) {
  return {task.kind == TaskKind::regression ? HeadKind::regression : HeadKind::classification, task.outputs()};
}

json prediction(const Task& task, const Predictions& predictions, size_t row) {
  const auto value = predictions.values[row];
  json line = {{"index", row}, {"label", value}, {"logits", predictions.logits[row]}};
  if (task.kind == TaskKind::classification) line["label"] = task.labels.at(static_cast<size_t>(value));
  return line;
}

}  // namespace

void tokenize(const Command& command) {
  const auto tokenizer = tokenizer_of(command.operands.front());
  int64_t number = 0;
  for (std::string line; std::getline(std::cin, line);)
    print(json(encode_line(*tokenizer, line, command.pairs, ++number).ids).dump() + "\n");
}

void predict(const Command& command) {
  set_threads(command.threads.value_or(0));
  const auto& name = command.operands[1];
  const Task task = name.starts_with("builtin:") ? make_builtin_task(name) : load_task(name);
  const auto& split = task.split(command.split);
  const Model model = load_model(model_folder(command, command.operands[0]), head_for(task), Key::root(command.lab.seed).split("init"));
  const auto rows = encode_split(split, *model.tokenizer, std::min(command.max_length, model.family->max_positions()));
  Predictions predictions;
  evaluate(*model.family, model.weights, task, rows, command.lab.device, &predictions);
  std::string text;
  for (size_t row = 0; row < predictions.values.size(); ++row) text += prediction(task, predictions, row).dump() + "\n";
  print(text);
}

}  // namespace tsrun
