#include "tsrun/data/task.h"
#include "tsrun/text/unicode_steps.h"

#include <algorithm>

namespace tsrun {
namespace {

/// Label of each of `names`, with or else without case; empty unless names and labels match one to one.
std::vector<int64_t> numbers_of(const std::vector<std::string>& labels, const std::vector<std::string>& names) {
  std::vector<int64_t> numbers;
  for (const std::string& name : names) {
    auto place = std::find(labels.begin(), labels.end(), name);
    const auto alike = [&](const std::string& label) { return to_lower(label) == to_lower(name); };
    if (place == labels.end() && std::count_if(labels.begin(), labels.end(), alike) == 1)
      place = std::find_if(labels.begin(), labels.end(), alike);
    const int64_t number = place - labels.begin();
    if (place == labels.end() || std::find(numbers.begin(), numbers.end(), number) != numbers.end()) return {};
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

std::optional<Task> in_order_of(const Task& task, const std::vector<std::string>& names) {
  if (names.size() != task.labels.size()) return std::nullopt;
  const std::vector<int64_t> numbers = numbers_of(task.labels, names);
  if (numbers.empty()) return std::nullopt;
  Task ordered = task;
  std::vector<int64_t> places(numbers.size());
  for (size_t output = 0; output < numbers.size(); ++output) {
    places[static_cast<size_t>(numbers[output])] = static_cast<int64_t>(output);
    ordered.labels[output] = task.labels[static_cast<size_t>(numbers[output])];
  }
  if (std::is_sorted(numbers.begin(), numbers.end())) return ordered;
  ordered.class_numbers = numbers;
  for (auto& [name, split] : ordered.splits) {
    for (Example& example : split.examples) {
      if (task.kind == TaskKind::classification) example.target = static_cast<double>(places.at(static_cast<size_t>(example.target)));
      for (int64_t& tag : example.tags) tag = places.at(static_cast<size_t>(tag));
    }
  }
  return ordered;
}

std::vector<double> as_task_classes(const Task& task, std::vector<double> classes) {
  if (task.class_numbers.empty()) return classes;
  for (double& number : classes) number = static_cast<double>(task.class_numbers.at(static_cast<size_t>(number)));
  return classes;
}

}  // namespace tsrun
