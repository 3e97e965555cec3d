#include "data/targets.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <charconv>

namespace tsrun {
namespace {

/// A whole number, or -1.
double option_number(const std::string& label) {
  int32_t value = -1;
  const char* end = label.data() + label.size();
  const auto result = std::from_chars(label.data(), end, value);
  return result.ec == std::errc() && result.ptr == end ? value : -1;
}

}  // namespace

TargetReader::TargetReader(const Task& task, const std::string& name) : task_(task), name_(name) {
  for (size_t index = 0; index < task.labels.size(); ++index) indices_[task.labels[index]] = static_cast<double>(index);
}

double TargetReader::read(const std::string& label, int64_t line) const {
  return task_.kind == TaskKind::regression ? number(label, line) : index(label, line);
}

double TargetReader::option(const std::string& label, size_t options, int64_t line) const {
  const double value = task_.labels.empty() ? option_number(label) : index(label, line);
  if (value >= 0 && value < static_cast<double>(options)) return value;
  data_error("{}:{}: found the label '{}', expected the number of an option from 0 to {}", name_, line, label, options - 1);
}

double TargetReader::index(const std::string& label, int64_t line) const {
  if (const auto found = indices_.find(label); found != indices_.end()) return found->second;
  data_error("{}:{}: found the label '{}'{}, expected one of {}", name_, line, label, did_you_mean(label, task_.labels),
             join_words(task_.labels));
}

double TargetReader::number(const std::string& label, int64_t line) const {
  double value = 0;
  const char* end = label.data() + label.size();
  const auto result = std::from_chars(label.data(), end, value);
  if (result.ec == std::errc() && result.ptr == end && value >= task_.low && value <= task_.high) return value;
  data_error("{}:{}: found the label '{}', expected a number from {} to {}", name_, line, label, task_.low, task_.high);
}

TagReader::TagReader(const std::vector<std::string>& labels, const std::string& name) : labels_(labels), name_(name) {
  for (size_t index = 0; index < labels.size(); ++index) indices_[labels[index]] = static_cast<int64_t>(index);
}

int64_t TagReader::read(const std::string& tag, int64_t line) const {
  if (const auto found = indices_.find(tag); found != indices_.end()) return found->second;
  data_error("{}:{}: found the tag '{}'{}, expected one of {}", name_, line, tag, did_you_mean(tag, labels_), join_words(labels_));
}

}  // namespace tsrun
