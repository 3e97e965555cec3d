#include "unit/train/kinds.h"

#include "tsrun/train/reading.h"

#include <sstream>

namespace tsrun::toy {
namespace {

nlohmann::json gpt2_config(int64_t vocabulary) {
  return {{"model_type", "gpt2"},
          {"vocab_size", vocabulary},
          {"n_embd", 16},
          {"n_layer", 2},
          {"n_head", 2},
          {"n_inner", 32},
          {"n_positions", 32},
          {"embd_pdrop", 0.0},
          {"attn_pdrop", 0.0},
          {"resid_pdrop", 0.0},
          {"classifier_dropout", 0.0},
          {"initializer_range", 0.2}};
}

nlohmann::json t5_config(int64_t vocabulary) {
  return {{"model_type", "t5"}, {"vocab_size", vocabulary}, {"d_model", 16},           {"d_kv", 8},          {"num_heads", 2},
          {"d_ff", 32},         {"num_layers", 1},          {"num_decoder_layers", 1}, {"dropout_rate", 0.0}};
}

nlohmann::json awd_lstm_config(int64_t vocabulary) {
  return {{"model_type", "awd_lstm"}, {"vocab_size", vocabulary}, {"embedding_size", 16},    {"hidden_size", 20},
          {"num_hidden_layers", 2},   {"embedding_dropout", 0.0}, {"input_dropout", 0.1},    {"hidden_dropout", 0.1},
          {"output_dropout", 0.1},    {"weight_dropout", 0.2},    {"initializer_range", 1.0}};
}

int64_t words_known() { return tiny_bert().tokenizer->vocabulary_size(); }

}  // namespace

TaskModel::TaskModel(const Task& given, const nlohmann::json& config) {
  const auto words = tiny_bert().tokenizer;
  const ModelKind model_kind = make_family(config, {}, "toy")->model_kind();
  task = task_for(given, model_kind);
  model = initialise_model(config, head_for(task, model_kind), words, Key::root(3));
}

TrainResult TaskModel::train(nlohmann::json options, double lr) const {
  options["max_length"] = options.value("max_length", 24);
  if (!options.contains("batch_size")) options["batch_size"] = 16;
  TrainJob job = toy::job(model, task, options, scratch.path() / std::to_string(runs++));
  job.tune.lr = job.tune.lr_embeddings = job.tune.lr_head = lr;
  return tsrun::train(std::move(job));
}

TaskModel with_gpt2(const Task& task) { return {task, gpt2_config(words_known())}; }
TaskModel with_awd_lstm(const Task& task) { return {task, awd_lstm_config(words_known())}; }
TaskModel with_t5(const Task& task) { return {task, t5_config(words_known())}; }
TaskModel with_bert(const Task& task) { return {task, tiny_bert({}, 0.0).family->config()}; }

Task sentiment_in_words() {
  Task task = sentiment();
  task.columns = {"text"};
  task.verbaliser = Verbaliser{"{text}", {"poor", "fine"}};
  return task;
}

Task tags() {
  Task task;
  task.name = "toy tags";
  task.kind = TaskKind::token_classification;
  task.labels = {"O", "blame", "praise"};
  task.metrics = {"accuracy"};
  for (const auto& [name, split] : sentiment().splits) {
    Split tagged;
    tagged.name = name;
    for (const Example& example : split.examples) {
      Example row;
      row.row = example.row;
      std::istringstream words(example.first);
      for (std::string word; words >> word;) {
        row.words.push_back(word);
        const bool praise = word == "good" || word == "great" || word == "fine" || word == "lovely";
        const bool blame = word == "bad" || word == "awful" || word == "poor" || word == "dull";
        row.tags.push_back(praise ? 2 : blame ? 1 : 0);
      }
      tagged.examples.push_back(std::move(row));
    }
    task.splits[name] = std::move(tagged);
  }
  return task;
}

Task documents() {
  Task task;
  task.name = "toy documents";
  task.kind = TaskKind::language_modelling;
  task.metrics = {"perplexity", "byte_perplexity"};
  for (const char* name : {"train", "dev"}) {
    Split split;
    split.name = name;
    for (int row = 0; row < 24; ++row) {
      Example document;
      document.first = row % 2 == 0 ? "the film was good and so was the plot" : "a dull day was so bad and the plot was awful";
      split.examples.push_back(document);
    }
    task.splits[name] = split;
  }
  return task;
}

Task choices() {
  Task task;
  task.name = "toy choices";
  task.kind = TaskKind::multiple_choice;
  task.metrics = {"accuracy"};
  for (const auto& [name, split] : sentiment().splits) {
    Split chosen = split;
    for (Example& example : chosen.examples) example.answers = {"was poor", "was fine"};
    task.splits[name] = std::move(chosen);
  }
  return task;
}

Task degrees() {
  Task task = sentiment();
  task.name = "toy degrees";
  task.kind = TaskKind::regression;
  task.labels.clear();
  task.high = 1;
  task.metrics = {"pearson"};
  return task;
}

}  // namespace tsrun::toy
