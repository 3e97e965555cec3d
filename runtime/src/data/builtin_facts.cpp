#include "builtin_language.h"

#include <algorithm>
#include <utility>

namespace tsrun::builtin {
namespace {

const Concept& meaning(int index) { return Lexicon::instance().meaning(index); }

int* slot(Clause& clause, Part part) {
  switch (part) {
    case Part::subject:
      return &clause.subject.meaning;
    case Part::predicate:
      return &clause.predicate;
    case Part::object:
      return &clause.object.meaning;
    case Part::place:
      return &clause.place;
    case Part::manner:
      return &clause.manner;
    case Part::subject_adjective:
      return &clause.subject.adjective;
    case Part::object_adjective:
      return &clause.object.adjective;
  }
  return nullptr;
}

WordClass adjective_for(int noun) {
  return meaning(noun).kind == WordClass::agent ? WordClass::agent_adjective : WordClass::thing_adjective;
}

Noun draw_noun(Speaker& speaker, WordClass kind, int topic, const ClauseLaw& law) {
  Noun noun;
  noun.meaning = speaker.meaning(kind, speaker.chance(law.stray) ? speaker.topic() : topic);
  noun.plural = speaker.chance(law.plural);
  if (speaker.chance(law.near)) {
    noun.near = speaker.meaning(speaker.chance(0.5) ? WordClass::thing : WordClass::agent, topic);
    noun.near_plural = speaker.chance(0.5);
  }
  return noun;
}

void draw_action(Speaker& speaker, Clause& clause, const ClauseLaw& law) {
  const bool opinion = speaker.chance(law.opinion);
  const WordClass verb = opinion ? WordClass::opinion_verb : speaker.chance(0.6) ? WordClass::thing_verb : WordClass::agent_verb;
  const bool of_thing = verb == WordClass::thing_verb || (opinion && speaker.chance(0.5));
  clause.subject = draw_noun(speaker, WordClass::agent, clause.topic, law);
  clause.predicate = speaker.meaning(verb, clause.topic);
  ClauseLaw plain = law;
  plain.near = 0;
  clause.object = draw_noun(speaker, of_thing ? WordClass::thing : WordClass::agent, clause.topic, plain);
  if (clause.object.meaning == clause.subject.meaning) clause.object.meaning = speaker.other_meaning(clause.subject.meaning, clause.topic);
  if (speaker.chance(law.adjective)) clause.object.adjective = draw_part(speaker, clause, Part::object_adjective);
  if (speaker.chance(law.manner)) clause.manner = draw_part(speaker, clause, Part::manner);
}

void draw_state(Speaker& speaker, Clause& clause, const ClauseLaw& law) {
  clause.subject = draw_noun(speaker, speaker.chance(0.4) ? WordClass::agent : WordClass::thing, clause.topic, law);
  const WordClass said = speaker.chance(law.evaluation) ? WordClass::evaluation : adjective_for(clause.subject.meaning);
  clause.predicate = speaker.meaning(said, clause.topic);
}

bool truth(const Clause& clause) { return meaning(clause.predicate).positive != clause.negated; }

bool same_number(const Clause& a, const Clause& b) {
  return a.subject.plural == b.subject.plural && (!a.action || a.object.plural == b.object.plural);
}

}  // namespace

int part_of(const Clause& clause, Part part) { return *slot(const_cast<Clause&>(clause), part); }

void set_part(Clause& clause, Part part, int concept_index) { *slot(clause, part) = concept_index; }

bool is_modifier(Part part) { return part != Part::subject && part != Part::predicate && part != Part::object; }

bool may_have(const Clause& clause, Part part) {
  const bool actions_only = part == Part::object || part == Part::object_adjective || part == Part::manner;
  return clause.action || !actions_only;
}

Clause draw_clause(Speaker& speaker, int topic, const ClauseLaw& law) {
  Clause clause;
  clause.topic = topic;
  clause.action = speaker.chance(law.action);
  clause.negated = speaker.chance(law.negated);
  if (clause.action) draw_action(speaker, clause, law);
  if (!clause.action) draw_state(speaker, clause, law);
  if (speaker.chance(clause.action ? law.adjective : law.adjective / 2))
    clause.subject.adjective = draw_part(speaker, clause, Part::subject_adjective);
  if (speaker.chance(law.place)) clause.place = draw_part(speaker, clause, Part::place);
  return clause;
}

int draw_part(Speaker& speaker, const Clause& clause, Part part) {
  switch (part) {
    case Part::place:
      return speaker.meaning(WordClass::place, clause.topic);
    case Part::manner:
      return speaker.meaning(WordClass::manner, clause.topic);
    case Part::subject_adjective:
      return speaker.meaning(adjective_for(clause.subject.meaning), clause.topic);
    case Part::object_adjective:
      return speaker.meaning(adjective_for(clause.object.meaning), clause.topic);
    default:
      return speaker.other_meaning(part_of(clause, part), clause.topic);
  }
}

void replace_part(Speaker& speaker, Clause& clause, Part part) {
  const int old = part_of(clause, part);
  int drawn = old == none ? draw_part(speaker, clause, part) : speaker.other_meaning(old, clause.topic);
  while (drawn == clause.subject.meaning || drawn == clause.object.meaning) drawn = speaker.other_meaning(old, clause.topic);
  set_part(clause, part, drawn);
}

void deny(Speaker& speaker, Clause& clause) {
  if (speaker.chance(0.5)) {
    clause.negated = !clause.negated;
  } else {
    clause.predicate = meaning(clause.predicate).opposite;
  }
}

void restate(Speaker& speaker, Clause& clause) {
  if (!speaker.chance(clause.negated ? 0.5 : 0.15)) return;
  clause.negated = !clause.negated;
  clause.predicate = meaning(clause.predicate).opposite;
}

bool can_swap_roles(const Clause& clause) { return clause.action && meaning(clause.object.meaning).kind == WordClass::agent; }

void swap_roles(Clause& clause) { std::swap(clause.subject, clause.object); }

Relation relation(const Clause& premise, const Clause& hypothesis) {
  const Lexicon& lexicon = Lexicon::instance();
  if (premise.action != hypothesis.action || !same_number(premise, hypothesis)) return Relation::neutral;
  bool denied = truth(premise) != truth(hypothesis);
  for (const Part part : all_parts) {
    const int given = part_of(premise, part), claimed = part_of(hypothesis, part);
    if (claimed == none) continue;
    if (given == none || lexicon.pair(given) != lexicon.pair(claimed)) return Relation::neutral;
    denied |= part != Part::predicate && given != claimed;
  }
  return denied ? Relation::contradiction : Relation::entailment;
}

bool answers(const Clause& statement, const Clause& question, Part asked) {
  Clause filled = question;
  set_part(filled, asked, part_of(statement, asked));
  return part_of(statement, asked) != none && relation(statement, filled) == Relation::entailment;
}

int sentiment(const Clause& clause) {
  const WordClass kind = meaning(clause.predicate).kind;
  if (kind != WordClass::evaluation && kind != WordClass::opinion_verb) return 0;
  return truth(clause) ? 1 : -1;
}

Clause draw_judgement(Speaker& speaker, int topic, int wanted, ClauseLaw law) {
  law.evaluation = law.opinion = 1;
  Clause clause = draw_clause(speaker, topic, law);
  if (sentiment(clause) != wanted) clause.predicate = meaning(clause.predicate).opposite;
  return clause;
}

}  // namespace tsrun::builtin
