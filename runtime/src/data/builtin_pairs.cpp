#include "builtin_pairs.h"

#include "tsrun/base/error.h"

namespace tsrun::builtin {
namespace {

std::vector<Part> present_parts(const Clause& clause, bool modifiers) {
  std::vector<Part> present;
  for (const Part part : all_parts) {
    if (is_modifier(part) == modifiers && part_of(clause, part) != none) present.push_back(part);
  }
  return present;
}

std::vector<Part> absent_modifiers(const Clause& clause) {
  std::vector<Part> absent;
  for (const Part part : all_parts) {
    if (is_modifier(part) && may_have(clause, part) && part_of(clause, part) == none) absent.push_back(part);
  }
  return absent;
}

Part any_of(Speaker& speaker, const std::vector<Part>& parts) {
  return parts.at(static_cast<size_t>(speaker.below(static_cast<int>(parts.size()))));
}

Clause weakened(Speaker& speaker, Clause clause, double chance) {
  for (const Part part : present_parts(clause, true)) {
    if (speaker.chance(chance)) set_part(clause, part, none);
  }
  return clause;
}

/// Denies the whole, or says the opposite of one modifier.
Clause denied(Speaker& speaker, Clause clause) {
  std::vector<Part> modifiers;
  for (const Part part : present_parts(clause, true)) {
    if (Lexicon::instance().meaning(part_of(clause, part)).opposite != none) modifiers.push_back(part);
  }
  if (modifiers.empty() || speaker.chance(0.7)) {
    deny(speaker, clause);
  } else {
    const Part part = any_of(speaker, modifiers);
    set_part(clause, part, Lexicon::instance().meaning(part_of(clause, part)).opposite);
  }
  return clause;
}

/// Something else is claimed: another actor, deed or object, other roles, or a modifier that the premise says nothing about.
Clause unrelated(Speaker& speaker, Clause clause) {
  const std::vector<Part> absent = absent_modifiers(clause);
  if (can_swap_roles(clause) && speaker.chance(0.3)) {
    swap_roles(clause);
  } else if (!absent.empty() && speaker.chance(0.4)) {
    const Part part = any_of(speaker, absent);
    set_part(clause, part, draw_part(speaker, clause, part));
  } else {
    replace_part(speaker, clause, any_of(speaker, present_parts(clause, false)));
  }
  return clause;
}

}  // namespace

Clause hypothesis_for(Speaker& speaker, const Clause& premise, Relation wanted) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    Clause clause = weakened(speaker, premise, 0.5);
    restate(speaker, clause);
    if (wanted == Relation::contradiction) clause = denied(speaker, clause);
    if (wanted == Relation::neutral) clause = unrelated(speaker, clause);
    if (relation(premise, clause) == wanted) return clause;
  }
  internal_error("the generated language found no hypothesis for a premise");
}

Clause paraphrase_of(Speaker& speaker, const Clause& clause) {
  Clause other = clause;
  restate(speaker, other);
  return other;
}

Clause near_miss(Speaker& speaker, const Clause& clause) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    Clause other = paraphrase_of(speaker, clause);
    const int kind = speaker.below(4);
    if (kind == 0) other = denied(speaker, other);
    if (kind == 1 && can_swap_roles(other)) swap_roles(other);
    if (kind >= 2)
      replace_part(speaker, other, any_of(speaker, present_parts(other, speaker.chance(0.3) && !present_parts(other, true).empty())));
    if (!equivalent(clause, other)) return other;
  }
  internal_error("the generated language found no near miss of a clause");
}

Question question_about(Speaker& speaker, const Clause& statement) {
  std::vector<Part> askable = {Part::subject, Part::object};
  for (const Part part : {Part::place, Part::manner}) {
    if (part_of(statement, part) != none) askable.insert(askable.end(), 2, part);
  }
  Question question{statement, any_of(speaker, askable)};
  question.clause = weakened(speaker, statement, 0.6);
  question.clause.negated = false;
  if (statement.negated) question.clause.predicate = Lexicon::instance().meaning(statement.predicate).opposite;
  set_part(question.clause, question.asked, none);
  return question;
}

Clause spoil_answer(Speaker& speaker, const Clause& statement, const Question& question) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    Clause other = statement;
    const int kind = speaker.below(4);
    if (kind == 0 && is_modifier(question.asked)) set_part(other, question.asked, none);
    if (kind == 1) deny(speaker, other);
    if (kind >= 2) replace_part(speaker, other, any_of(speaker, present_parts(other, false)));
    if (!answers(other, question.clause, question.asked)) return other;
  }
  internal_error("the generated language could not spoil an answer");
}

Tokens join(Tokens first, std::string_view between, const Tokens& second) {
  if (!between.empty()) first.emplace_back(between);
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Tokens compound(Speaker& speaker, const Clause& main, const Clause& side, std::string_view conjunction) {
  if (conjunction == "but") return join(say(speaker, side), conjunction, say(speaker, main));
  if (speaker.chance(0.5)) return join(say(speaker, main), conjunction, say(speaker, side));
  return join(join({std::string(conjunction)}, "", say(speaker, side)), ",", say(speaker, main));
}

}  // namespace tsrun::builtin
