#include "builtin_tasks.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <utility>

namespace tsrun::builtin {
namespace {

enum class Mistake { agreement, determiner, adjective, object, order };

Clause carrier(Speaker& speaker, Mistake mistake) {
  ClauseLaw law{.action = 0.6, .negated = 0.2, .place = 0.25};
  if (mistake == Mistake::agreement) law.near = 0.6;
  if (mistake == Mistake::object) law.opinion = 0;
  if (mistake == Mistake::object || mistake == Mistake::adjective) law.action = 1;
  if (mistake == Mistake::adjective) law.adjective = 1;
  return draw_clause(speaker, speaker.topic(), law);
}

WordClass other_class(WordClass kind) {
  switch (kind) {
    case WordClass::agent:
      return WordClass::thing;
    case WordClass::thing:
      return WordClass::agent;
    case WordClass::agent_adjective:
      return WordClass::thing_adjective;
    case WordClass::thing_adjective:
      return WordClass::agent_adjective;
    case WordClass::thing_verb:
      return WordClass::agent_verb;
    default:
      return WordClass::thing_verb;
  }
}

/// Puts a word of the wrong class at `part`: an adjective that does not go with its noun, a verb that does not go with its object.
void misplace(Speaker& speaker, Clause& clause, Part part) {
  const WordClass kind = Lexicon::instance().meaning(part_of(clause, part)).kind;
  set_part(clause, part, speaker.meaning(other_class(kind), clause.topic));
}

/// Exchanges two neighbours that do not read well the other way round.
void disorder(Speaker& speaker, Tokens& tokens) {
  const Tokens before = tokens;
  while (tokens == before) {
    const size_t at = static_cast<size_t>(speaker.below(static_cast<int>(tokens.size()) - 1));
    std::swap(tokens[at], tokens[at + 1]);
  }
}

}  // namespace

Tokens judged_sentence(Speaker& speaker, bool acceptable) {
  const auto mistake = static_cast<Mistake>(speaker.below(5));
  Clause clause = carrier(speaker, mistake);
  Faults faults;
  if (!acceptable) {
    faults.agreement = mistake == Mistake::agreement;
    faults.determiner = mistake == Mistake::determiner;
    if (mistake == Mistake::object) misplace(speaker, clause, Part::object);
    if (mistake == Mistake::adjective) misplace(speaker, clause, Part::subject_adjective);
  }
  Tokens tokens = say(speaker, clause, faults);
  if (!acceptable && mistake == Mistake::order) disorder(speaker, tokens);
  return tokens;
}

}  // namespace tsrun::builtin
