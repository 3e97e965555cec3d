#pragma once

#include "unit/train/toy.h"

#include <string>

/// Every kind of task, and a tiny model of every kind that can do it.
namespace tsrun::toy {

/// A tiny model for `task` of the kind that `config` says.
struct TaskModel {
  TaskModel(const Task& given, const nlohmann::json& config);
  TrainResult train(nlohmann::json options, double lr = 1e-2) const;
  /// Folder of the last training.
  std::filesystem::path last_work() const { return scratch.path() / std::to_string(runs - 1); }

  Scratch scratch;
  mutable int runs = 0;
  Task task;
  Model model;
};

/// Models of the toy vocabulary.
TaskModel with_gpt2(const Task& task);
TaskModel with_t5(const Task& task);
TaskModel with_awd_lstm(const Task& task);
TaskModel with_bert(const Task& task);

/// The sentiment task, answered with a word of its vocabulary.
Task sentiment_in_words();
/// The sentiment task as a number from 0 to 1.
Task degrees();
/// Every word is praise, blame or neither.
Task tags();
/// Texts that say the same words in the same order.
Task documents();
/// A prompt and two ways to go on.
Task choices();

}  // namespace tsrun::toy
