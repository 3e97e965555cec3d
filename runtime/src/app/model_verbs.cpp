#include "app/verbs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/suggest.h"
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

/// A model's folder, and the weights that a training put in the place of the folder's own.
struct Source {
  fs::path folder;
  std::optional<fs::path> weights;
};

/// The artifact of a training that "train:<beginning of its key>" names.
fs::path training_folder(const fs::path& store, const std::string& prefix) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(store / "objects" / "train", ignored))
    if (const auto key = entry.path().filename().string(); key.starts_with(prefix) && !key.starts_with('.')) found.push_back(key);
  if (found.empty()) user_error("{}: no training whose key begins with '{}'", (store / "objects" / "train").string(), prefix);
  if (found.size() > 1) user_error("train:{} is ambiguous: {}", prefix, join_words(found));
  return store / "objects" / "train" / found.front();
}

Source source_of_training(const fs::path& folder) {
  const auto meta = read_json(folder / "artifact.json");
  const auto model = meta.value("summary", json::object()).value("model", json::object());
  if (meta.value("kind", "") != "train" || !model.contains("path"))
    data_error("{}: a {}, expected a training that names its model", folder.string(), meta.value("kind", "folder"));
  if (!fs::exists(folder / "last.safetensors")) data_error("{}: the training kept no weights; train with keep = \"last\"", folder.string());
  return {model["path"].get<std::string>(), folder / "last.safetensors"};
}

/// A folder as it is, from the hub cache, made here the first time, or what a training left.
Source source_of(const Command& command, const std::string& model) {
  std::error_code ignored;
  if (model.starts_with("train:")) return source_of_training(training_folder(command.lab.store, model.substr(6)));
  if (fs::exists(fs::path(model) / "artifact.json", ignored) && !fs::exists(fs::path(model) / "config.json", ignored))
    return source_of_training(model);
  if (!model.starts_with("builtin:")) return {resolve_model_folder(model), std::nullopt};
  Lab lab(command.lab);
  return {lab.call("model", {{"spec", model}}).at("path").get<std::string>(), std::nullopt};
}

Model load(const Source& source, const Task& task, uint64_t seed) {
  const HeadSpec head{task.kind == TaskKind::regression ? HeadKind::regression : HeadKind::classification, task.outputs()};
  Model model = load_model(source.folder, head, Key::root(seed).split("init"));
  if (!source.weights) return model;
  const auto trained = load_weights(*source.weights, *model.family);
  for (const auto& name : trained.names()) model.weights.set(name, trained.at(name));
  return model;
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
  const Model model = load(source_of(command, command.operands[0]), task, command.lab.seed);
  const auto rows = encode_split(split, *model.tokenizer, std::min(command.max_length, model.family->max_positions()));
  Predictions predictions;
  evaluate(*model.family, model.weights, task, rows, command.lab.device, &predictions);
  std::string text;
  for (size_t row = 0; row < predictions.values.size(); ++row) text += prediction(task, predictions, row).dump() + "\n";
  print(text);
}

}  // namespace tsrun
