#include "builtin_language.h"

#include <fmt/format.h>

#include <initializer_list>

namespace tsrun::builtin {
namespace {

class Builder {
 public:
  explicit Builder(Speaker& speaker) : speaker_(speaker) {}

  Builder& add(std::string_view word) {
    tokens_.emplace_back(word);
    return *this;
  }
  Builder& add(int meaning, std::string_view ending = "") {
    tokens_.push_back(speaker_.word(meaning) + std::string(ending));
    return *this;
  }
  Builder& noun(const Noun& noun, bool wrong_determiner = false) {
    add(determiner(noun.plural, wrong_determiner));
    if (noun.adjective != none) add(noun.adjective);
    add(noun.meaning, noun.plural ? plural_noun : "");
    if (noun.near != none) add("near").add("the").add(noun.near, noun.near_plural ? plural_noun : "");
    return *this;
  }
  Builder& place(int place) {
    if (place != none) add("in").add("the").add(place);
    return *this;
  }
  Builder& manner(int manner) {
    if (manner != none) add(manner);
    return *this;
  }
  Tokens take() { return std::move(tokens_); }

 private:
  std::string_view determiner(bool plural, bool wrong) {
    const double drawn = wrong ? speaker_.below(2) * 0.25 + 0.6 : speaker_.chance(0.5) ? 0 : speaker_.below(2) * 0.25 + 0.6;
    if (drawn < 0.5) return "the";
    const bool first = drawn < 0.8;
    return plural != wrong ? (first ? "some" : "these") : (first ? "a" : "this");
  }

  Speaker& speaker_;
  Tokens tokens_;
};

std::string_view copula(bool plural) { return plural ? "are" : "is"; }
std::string_view auxiliary(bool plural) { return plural ? "do" : "does"; }

void say_state(Builder& builder, const Clause& clause, const Faults& faults) {
  builder.noun(clause.subject, faults.determiner).add(copula(clause.subject.plural != faults.agreement));
  if (clause.negated) builder.add("not");
  builder.add(clause.predicate);
}

void say_active(Builder& builder, const Clause& clause, const Faults& faults) {
  const bool plural = clause.subject.plural != faults.agreement;
  builder.noun(clause.subject, faults.determiner);
  if (clause.negated) builder.add(auxiliary(plural)).add("not").add(clause.predicate);
  if (!clause.negated) builder.add(clause.predicate, plural ? plural_verb : "");
  builder.noun(clause.object).manner(clause.manner);
}

void say_passive(Builder& builder, const Clause& clause, const Faults& faults) {
  builder.noun(clause.object, faults.determiner).add(copula(clause.object.plural != faults.agreement));
  if (clause.negated) builder.add("not");
  builder.manner(clause.manner).add(clause.predicate, passive_verb).add("by").noun(clause.subject);
}

}  // namespace

Tokens say(Speaker& speaker, const Clause& clause, const Faults& faults) {
  Builder builder(speaker);
  const bool fronted = clause.place != none && speaker.chance(0.2);
  const bool passive = clause.action && speaker.chance(0.15);
  if (fronted) builder.place(clause.place).add(",");
  if (!clause.action) say_state(builder, clause, faults);
  if (clause.action && passive) say_passive(builder, clause, faults);
  if (clause.action && !passive) say_active(builder, clause, faults);
  if (!fronted) builder.place(clause.place);
  return builder.take();
}

Tokens ask(Speaker& speaker, const Clause& clause) {
  Builder builder(speaker);
  builder.add(clause.action ? auxiliary(clause.subject.plural) : copula(clause.subject.plural)).noun(clause.subject).add(clause.predicate);
  if (clause.action) builder.noun(clause.object).manner(clause.manner);
  return builder.place(clause.place).take();
}

Tokens ask_for(Speaker& speaker, const Clause& clause, Part asked) {
  Builder builder(speaker);
  if (asked == Part::subject) {
    builder.add("who").add(clause.predicate).noun(clause.object);
  } else {
    const std::string_view opening = asked == Part::object ? "what" : asked == Part::place ? "where" : "how";
    builder.add(opening).add(auxiliary(clause.subject.plural)).noun(clause.subject).add(clause.predicate);
    if (asked != Part::object) builder.noun(clause.object);
  }
  if (asked != Part::manner) builder.manner(clause.manner);
  if (asked != Part::place) builder.place(clause.place);
  return builder.take();
}

std::string sentence(Tokens tokens, std::string_view end) { return fmt::format("{} {}", fmt::join(tokens, " "), end); }

}  // namespace tsrun::builtin
