#pragma once

#include "builtin_language.h"

#include "tsrun/data/task.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tsrun::builtin {

struct Row {
  std::string first;
  std::optional<std::string> second;
  double target = 0;
};

/// One task: what its rows look like and how one is made for a given class (ignored by regression).
struct Plan {
  std::string_view name;
  TaskKind kind;
  std::vector<std::string> labels;
  std::vector<std::string> metrics;
  Row (*make)(Speaker& speaker, int label);
};
std::span<const Plan> plans();

/// An unacceptable sentence, or an acceptable one of the same make.
Tokens judged_sentence(Speaker& speaker, bool acceptable);
/// How much of what two clauses say is shared, in [0, 5].
double similarity(const Clause& a, const Clause& b);

}  // namespace tsrun::builtin
