#include "data/targets.h"
#include "data/place_error.h"
#include "tsrun/data/words.h"

#include "tsrun/base/suggest.h"

#include <charconv>

namespace tsrun::data {
namespace {

bool is_integer(std::string_view text) {
  int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

/// "1.0" as "1"; other texts as they are.
std::string_view whole_number(std::string_view text) {
  const size_t point = text.find('.');
  const bool zeros = point != text.npos && point + 1 < text.size() && text.find_first_not_of('0', point + 1) == text.npos;
  return zeros && is_integer(text.substr(0, point)) ? text.substr(0, point) : text;
}

/// One spelling for truth values (Python's True, JSON's true) and one for whole numbers (1.0, 1).
std::string common_spelling(const std::string& label) {
  std::string lower = lower_case(label);
  return lower == "true" || lower == "false" ? lower : std::string(whole_number(label));
}

/// A whole number, or -1.
double option_number(const std::string& label) {
  const std::string_view text = whole_number(label);
  int32_t value = -1;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() ? value : -1;
}

}  // namespace

LabelIndex::LabelIndex(const std::vector<std::string>& labels) {
  for (size_t index = 0; index < labels.size(); ++index) {
    exact_[labels[index]] = static_cast<int64_t>(index);
    const auto [place, first] = common_.emplace(common_spelling(labels[index]), static_cast<int64_t>(index));
    if (!first) place->second = -1;
  }
}

std::optional<int64_t> LabelIndex::find(const std::string& label) const {
  if (const auto found = exact_.find(label); found != exact_.end()) return found->second;
  const auto found = common_.find(common_spelling(label));
  return found == common_.end() || found->second < 0 ? std::nullopt : std::optional(found->second);
}

TargetReader::TargetReader(const Task& task, const std::string& name) : task_(task), name_(name), index_(task.labels) {}

double TargetReader::read(const std::string& label, int64_t line) const {
  return task_.kind == TaskKind::regression ? number(label, line) : index(label, line);
}

double TargetReader::option(const std::string& label, size_t options, int64_t line) const {
  const double value = task_.labels.empty() ? option_number(label) : index(label, line);
  if (value >= 0 && value < static_cast<double>(options)) return value;
  error_at(name_, line, "found the label '{}', expected the number of an option from 0 to {}", clipped(label), options - 1);
}

double TargetReader::index(const std::string& label, int64_t line) const {
  if (const auto found = index_.find(label)) return static_cast<double>(*found);
  error_at(name_, line, "found the label '{}'{}, expected one of {}", clipped(label), did_you_mean(label, task_.labels),
           join_words(task_.labels));
}

double TargetReader::number(const std::string& label, int64_t line) const {
  double value = 0;
  const char* end = label.data() + label.size();
  const auto result = std::from_chars(label.data(), end, value);
  if (result.ec == std::errc() && result.ptr == end && value >= task_.low && value <= task_.high) return value;
  error_at(name_, line, "found the label '{}', expected a number from {} to {}", clipped(label), task_.low, task_.high);
}

TagReader::TagReader(const std::vector<std::string>& labels, const std::string& name) : labels_(labels), name_(name), index_(labels) {}

int64_t TagReader::read(const std::string& tag, int64_t line) const {
  if (const auto found = index_.find(tag)) return *found;
  error_at(name_, line, "found the tag '{}'{}, expected one of {}", clipped(tag), did_you_mean(tag, labels_), join_words(labels_));
}

}  // namespace tsrun::data
