#include "experiment/label_map.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <cctype>

namespace tsrun::experiment {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// -1 where the task has no such label.
int64_t number_of(const Task& task, const std::string& label) {
  for (size_t i = 0; i < task.labels.size(); ++i)
    if (lower(task.labels[i]) == lower(label)) return static_cast<int64_t>(i);
  return -1;
}

void require_label(const Task& task, const std::string& label) {
  if (number_of(task, label) < 0)
    user_error("labels: '{}' is no label of task '{}', which has {}{}", label, task.name, join_words(task.labels),
               did_you_mean(label, task.labels));
}

void require_classes(const Task& task) {
  if (task.kind != TaskKind::classification)
    user_error("option 'task': '{}' is a {}; expected a classification, whose labels can stand for another's", task.name,
               name_of(task.kind));
}

}  // namespace

std::vector<int64_t> label_map(const Task& source, const Task& target, const nlohmann::json& labels) {
  require_classes(source);
  require_classes(target);
  const nlohmann::json given = labels.is_null() ? nlohmann::json::object() : labels;
  std::vector<int64_t> classes;
  for (const std::string& label : source.labels) classes.push_back(number_of(target, label));
  for (const auto& [from, to] : given.items()) {
    if (!to.is_string()) user_error("labels: '{}' stands for {}, expected a label of task '{}'", from, to.dump(), target.name);
    require_label(source, from);
    require_label(target, to.get<std::string>());
    classes[static_cast<size_t>(number_of(source, from))] = number_of(target, to.get<std::string>());
  }
  for (size_t i = 0; i < classes.size(); ++i)
    if (classes[i] < 0)
      user_error("labels: '{}' of task '{}' stands for no label of task '{}', which has {}; expected labels = {{ [\"{}\"] = … }}",
                 source.labels[i], source.name, target.name, join_words(target.labels), source.labels[i]);
  return classes;
}

}  // namespace tsrun::experiment
