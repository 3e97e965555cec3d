#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/metrics.h"

#include <algorithm>

namespace tsrun {
namespace {

const std::vector<std::string>& likelihood_names() { return metric_names(TaskKind::language_modelling); }

std::vector<std::string> every_name() {
  std::vector<std::string> all = metric_names();
  for (const TaskKind kind : {TaskKind::text_to_text, TaskKind::token_classification, TaskKind::language_modelling}) {
    for (const std::string& name : metric_names(kind))
      if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  }
  return all;
}

}  // namespace

const std::vector<std::string>& metric_names(TaskKind kind) {
  static const std::map<TaskKind, std::vector<std::string>> names = {
      {TaskKind::classification, metric_names()},
      {TaskKind::regression, {"pearson", "spearman"}},
      {TaskKind::token_classification, {"accuracy", "entity_f1", "macro_f1"}},
      {TaskKind::multiple_choice, {"accuracy", "macro_f1"}},
      {TaskKind::text_to_text, {"exact_match", "accuracy", "macro_f1", "token_f1", "rouge_l", "matthews", "pearson", "spearman"}},
      {TaskKind::language_modelling, {"perplexity", "byte_perplexity", "bits_per_byte"}},
  };
  return names.at(kind);
}

bool higher_is_better(std::string_view name) {
  static const std::vector<std::string> known = every_name();
  if (std::find(known.begin(), known.end(), name) == known.end())
    user_error("unknown metric '{}'{}, expected one of {}", name, did_you_mean(name, known), join_words(known));
  const auto& lower = likelihood_names();
  return std::find(lower.begin(), lower.end(), name) == lower.end();
}

}  // namespace tsrun
