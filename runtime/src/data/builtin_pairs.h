#pragma once

#include "builtin_language.h"

#include <vector>

/// Pairs and compounds of clauses, shared by the corpus and the tasks.
namespace tsrun::builtin {

/// A hypothesis that stands in `wanted` relation to the premise.
Clause hypothesis_for(Speaker& speaker, const Clause& premise, Relation wanted);
/// The same fact said with other words; `restate` may have been applied.
Clause paraphrase_of(Speaker& speaker, const Clause& clause);
/// Looks like a paraphrase and is none: one part replaced, denied, or roles swapped.
Clause near_miss(Speaker& speaker, const Clause& clause);

struct Question {
  Clause clause;
  Part asked;
};
/// A question that an action answers, or that it nearly answers.
Question question_about(Speaker& speaker, const Clause& statement);
/// Changes the statement so that it no longer answers.
Clause spoil_answer(Speaker& speaker, const Clause& statement, const Question& question);

/// "although SIDE , MAIN", "MAIN although SIDE", "SIDE but MAIN" or, with "while", the first two.
Tokens compound(Speaker& speaker, const Clause& main, const Clause& side, std::string_view conjunction);
Tokens join(Tokens first, std::string_view between, const Tokens& second);

}  // namespace tsrun::builtin
