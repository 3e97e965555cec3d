#pragma once

#include "builtin_lexicon.h"

#include <string>
#include <vector>

/// What is said (clauses), how it is said (styles), and what follows from what.
namespace tsrun::builtin {

constexpr int none = -1;

struct Noun {
  int meaning = none;
  bool plural = false;
  int adjective = none;
  int near = none;  ///< "the A near the B"
  bool near_plural = false;
};

/// One stated fact: somebody does something to somebody (action), or something is so (state).
struct Clause {
  int topic = 0;
  bool action = true;
  Noun subject, object;  ///< a state has no object
  int predicate = none;  ///< a verb; an adjective in a state
  bool negated = false;
  int place = none, manner = none;  ///< manner: actions only
};

/// The parts of a clause that can be compared, replaced, left out.
enum class Part { subject, predicate, object, place, manner, subject_adjective, object_adjective };
inline constexpr Part all_parts[] = {Part::subject, Part::predicate,         Part::object,          Part::place,
                                     Part::manner,  Part::subject_adjective, Part::object_adjective};
int part_of(const Clause& clause, Part part);  ///< concept, or `none`
void set_part(Clause& clause, Part part, int concept_index);
bool is_modifier(Part part);  ///< may be absent
bool may_have(const Clause& clause, Part part);

/// Draws for a clause: how often it is an action, negated, plural, and how often each modifier is present.
struct ClauseLaw {
  double action = 0.6, negated = 0.2, plural = 0.35, adjective = 0.3, place = 0.35, manner = 0.25, near = 0;
  double evaluation = 0.5;  ///< of states: an evaluation rather than a description
  double opinion = 0.2;     ///< of actions: the verb tells an opinion
  double stray = 0;         ///< chance that a noun comes from another topic
};
Clause draw_clause(Speaker& speaker, int topic, const ClauseLaw& law);

/// A concept that could stand at `part`.
int draw_part(Speaker& speaker, const Clause& clause, Part part);
void replace_part(Speaker& speaker, Clause& clause, Part part);  ///< by something unrelated
void deny(Speaker& speaker, Clause& clause);                     ///< negates, or says the opposite
void restate(Speaker& speaker, Clause& clause);                  ///< same truth: with some chance "not" and the opposite predicate
bool can_swap_roles(const Clause& clause);
void swap_roles(Clause& clause);

enum class Relation { entailment, neutral, contradiction };
/// What the hypothesis is, given the premise. Facts about different people or things are neutral; so is a modifier that the premise lacks.
Relation relation(const Clause& premise, const Clause& hypothesis);
inline bool equivalent(const Clause& a, const Clause& b) {
  return relation(a, b) == Relation::entailment && relation(b, a) == Relation::entailment;
}
/// Whether the statement answers the question "ask_for(question, asked)".
bool answers(const Clause& statement, const Clause& question, Part asked);
/// +1 or -1 for clauses with an evaluation or an opinion, 0 for others; negation turns it around.
int sentiment(const Clause& clause);
/// A clause whose sentiment is `wanted`, +1 or -1.
Clause draw_judgement(Speaker& speaker, int topic, int wanted, ClauseLaw law);

/// Deliberate mistakes.
struct Faults {
  bool agreement = false, determiner = false;
};
/// Words of a clause without the full stop; synonyms, determiners, voice and order are drawn.
using Tokens = std::vector<std::string>;
Tokens say(Speaker& speaker, const Clause& clause, const Faults& faults = {});
/// "is the A B", "does the A V the C".
Tokens ask(Speaker& speaker, const Clause& clause);
/// "who V the C", with the asked part left open. @pre it is subject, object, place or manner of an action.
Tokens ask_for(Speaker& speaker, const Clause& clause, Part asked);
std::string sentence(Tokens tokens, std::string_view end = ".");

}  // namespace tsrun::builtin
