#pragma once

#include "builtin_language.h"
#include "tsrun/data/task.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tsrun::data::builtin {

struct Row {
  std::string first;
  std::optional<std::string> second;
  double target = 0;
};

/// Makes a row with the true label `label`; a regression ignores it.
struct Plan {
  const char* name;
  TaskKind kind;
  std::vector<std::string> labels, metrics;
  Verbaliser verbaliser;  ///< in words of the tokenizers of gpt-mini and t5-mini
  Row (*make)(Speaker& speaker, int label);
};
std::span<const Plan> plans();

}  // namespace tsrun::data::builtin
