#include "builtin_lexicon.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace tsrun::builtin {
namespace {

constexpr std::array<std::string_view, 34> kFunctionWords = {
    "the",   "a",      "this",   "some",     "these", "is",       "are",    "does",  "do",  "not", "by", "in",
    "near",  "and",    "but",    "although", "while", "who",      "what",   "where", "how", "yes", "no", "so",
    "maybe", "surely", "anyway", "it",       "they",  "everyone", "nobody", ".",     ",",   "?"};

constexpr int kClasses = static_cast<int>(WordClass::manner) + 1;

size_t slot_of(WordClass kind, int topic) { return static_cast<size_t>(topic) * kClasses + static_cast<size_t>(kind); }

/// Pronounceable forms, all different, ending in a vowel so that an ending can follow, in an order drawn once.
std::vector<std::string> invent_forms(Key key, size_t count) {
  constexpr std::string_view consonants = "bdfgklmnprstvz", vowels = "aeiou";
  const auto functions = function_words();
  std::set<std::string> seen(functions.begin(), functions.end());
  std::vector<std::string> forms;
  Stream stream(key);
  while (forms.size() < count) {
    const size_t syllables = 2 + stream.below(2);
    std::string form;
    for (size_t i = 0; i < syllables; ++i) {
      form += consonants[stream.below(consonants.size())];
      form += vowels[stream.below(vowels.size())];
    }
    if (seen.insert(form).second) forms.push_back(form);
  }
  return forms;
}

}  // namespace

/// How many concepts a class has in a topic, whether they come as opposites, and how many synonyms each has.
struct Lexicon::Shape {
  WordClass kind;
  int concepts;
  bool opposites;
  int synonyms;
};

std::span<const std::string_view> function_words() { return kFunctionWords; }

const Lexicon& Lexicon::instance() {
  static const Lexicon lexicon;
  return lexicon;
}

Lexicon::Lexicon() : forms_(invent_forms(Key::root(0).split("builtin forms"), 1200)), by_class_and_topic_(topics * kClasses) {
  constexpr std::array<Shape, 5> per_topic = {{{WordClass::agent, 5, false, 2},
                                               {WordClass::thing, 6, false, 2},
                                               {WordClass::place, 3, false, 2},
                                               {WordClass::thing_verb, 4, true, 2},
                                               {WordClass::agent_verb, 4, true, 2}}};
  constexpr std::array<Shape, 5> shared = {{{WordClass::opinion_verb, 8, true, 2},
                                            {WordClass::agent_adjective, 8, true, 2},
                                            {WordClass::thing_adjective, 8, true, 2},
                                            {WordClass::evaluation, 20, true, 2},
                                            {WordClass::manner, 6, true, 2}}};
  for (int topic = 0; topic < topics; ++topic) {
    for (const Shape& shape : per_topic) add_class(shape, topic);
  }
  for (const Shape& shape : shared) add_class(shape, -1);
  forms_.clear();
}

void Lexicon::add_class(const Shape& shape, int topic) {
  for (int i = 0; i < shape.concepts; ++i) {
    const bool second = shape.opposites && i % 2 == 1;
    const bool strange = (shape.opposites ? i / 2 : i) % 3 == 2;
    const int index = add_concept(shape, topic, !second, strange);
    if (second) {
      concepts_[static_cast<size_t>(index)].opposite = index - 1;
      concepts_[static_cast<size_t>(index - 1)].opposite = index;
    }
  }
}

/// One synonym of every concept is familiar, none of a strange one.
int Lexicon::add_concept(const Shape& shape, int topic, bool positive, bool strange) {
  const int index = static_cast<int>(concepts_.size());
  const int known = static_cast<int>(Key::root(0).split("builtin familiar words").block(static_cast<uint64_t>(index))[0] % 2);
  Concept added{shape.kind, topic, -1, positive, {}};
  for (int i = 0; i < shape.synonyms; ++i) {
    const int number = static_cast<int>(words_.size());
    words_.push_back({forms_.back(), index, !strange && i % 2 == known});
    forms_.pop_back();
    added.words.push_back(number);
  }
  concepts_.push_back(std::move(added));
  for (int t = 0; t < topics; ++t) {
    if (topic < 0 || topic == t) by_class_and_topic_[slot_of(shape.kind, t)].push_back(index);
  }
  return index;
}

const std::vector<int>& Lexicon::concepts(WordClass kind, int topic) const { return by_class_and_topic_.at(slot_of(kind, topic)); }

int Lexicon::pair(int index) const {
  const int opposite = meaning(index).opposite;
  return opposite < 0 ? index : std::min(index, opposite);
}

int Speaker::meaning(WordClass kind, int topic) {
  const std::vector<int>& known = Lexicon::instance().concepts(kind, topic);
  std::vector<double> weights(known.size());
  for (size_t i = 0; i < known.size(); ++i) weights[i] = knows(known[i]) ? 1 / std::sqrt(static_cast<double>(i / 2) + 1) : 0;
  return known[stream_.weighted(weights)];
}

int Speaker::other_meaning(int index, int topic) {
  const Lexicon& lexicon = Lexicon::instance();
  for (;;) {
    const int other = meaning(lexicon.meaning(index).kind, topic);
    if (lexicon.pair(other) != lexicon.pair(index)) return other;
  }
}

const std::string& Speaker::word(int meaning) {
  const Lexicon& lexicon = Lexicon::instance();
  const std::vector<int>& synonyms = lexicon.meaning(meaning).words;
  std::vector<double> weights(synonyms.size());
  for (size_t i = 0; i < synonyms.size(); ++i) weights[i] = may_use(synonyms[i]) ? 1 / static_cast<double>(i + 1) : 0;
  return lexicon.word(synonyms[stream_.weighted(weights)]).form;
}

bool Speaker::knows(int meaning) const {
  const Concept& asked = Lexicon::instance().meaning(meaning);
  const auto sayable = [this](const Concept& c) {
    return std::any_of(c.words.begin(), c.words.end(), [this](int w) { return may_use(w); });
  };
  return sayable(asked) && (asked.opposite < 0 || sayable(Lexicon::instance().meaning(asked.opposite)));
}

}  // namespace tsrun::builtin
