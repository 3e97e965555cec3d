#pragma once

#include "tsrun/data/task.h"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

/// Readers of labels, with errors that name file, line and the near miss. They keep references to their arguments.
namespace tsrun::data {

/// Index of label names. Truth values match in any case (JSON's true is "True"), whole numbers with or without decimals (1.0 is "1"), where
/// the match is unique.
class LabelIndex {
 public:
  explicit LabelIndex(const std::vector<std::string>& labels);
  std::optional<int64_t> find(const std::string& label) const;

 private:
  std::unordered_map<std::string, int64_t> exact_, common_;  ///< common_: by normalised spelling; -1: ambiguous
};

/// Labels as class indices or as numbers of the range.
class TargetReader {
 public:
  TargetReader(const Task& task, const std::string& name);
  double read(const std::string& label, int64_t line) const;
  /// Index of an option, by its name where the task lists names, else by its number.
  double option(const std::string& label, size_t options, int64_t line) const;

 private:
  double index(const std::string& label, int64_t line) const;
  double number(const std::string& label, int64_t line) const;

  const Task& task_;
  const std::string& name_;
  LabelIndex index_;
};

/// Tags of words.
class TagReader {
 public:
  TagReader(const std::vector<std::string>& labels, const std::string& name);
  int64_t read(const std::string& tag, int64_t line) const;

 private:
  const std::vector<std::string>& labels_;
  const std::string& name_;
  LabelIndex index_;
};

}  // namespace tsrun::data
