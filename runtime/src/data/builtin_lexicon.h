#pragma once

#include "tsrun/base/random.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The words of the generated language. Function words are English so that a sentence can be read; every content word is invented from
/// syllables, and what it means is its place in this lexicon: a class, a topic, a synonym and an opposite.
namespace tsrun::builtin {

enum class WordClass { agent, thing, place, thing_verb, agent_verb, opinion_verb, agent_adjective, thing_adjective, evaluation, manner };

/// A meaning. Opposites are complementary: "not A" says the same as the opposite of A.
struct Concept {
  WordClass kind;
  int topic = -1;          ///< -1: at home in every topic
  int opposite = -1;       ///< the concept that denies this one, -1 where there is none
  bool positive = true;    ///< which side of its pair; for evaluations and opinions also the sentiment
  std::vector<int> words;  ///< its synonyms
};

struct Word {
  std::string form;
  int meaning;    ///< index of its concept
  bool familiar;  ///< may occur in train splits; the others are known from pre-training only
};

class Lexicon {
 public:
  static constexpr int topics = 5;
  static const Lexicon& instance();
  const Concept& meaning(int index) const { return concepts_.at(static_cast<size_t>(index)); }
  const Word& word(int index) const { return words_.at(static_cast<size_t>(index)); }
  const std::vector<Word>& words() const { return words_; }
  /// Concepts of a class that a topic knows: its own and those at home everywhere.
  const std::vector<int>& concepts(WordClass kind, int topic) const;
  /// The same number for a concept and its opposite, different for any other.
  int pair(int index) const;

 private:
  Lexicon();
  struct Shape;
  void add_class(const Shape& shape, int topic);
  int add_concept(const Shape& shape, int topic, bool positive, bool strange);

  std::vector<Concept> concepts_;
  std::vector<Word> words_;
  std::vector<std::string> forms_;  ///< unused word forms, last first
  std::vector<std::vector<int>> by_class_and_topic_;
};

/// Every function word and punctuation mark that a sentence may contain.
std::span<const std::string_view> function_words();

/// Endings, each one a word piece: plural of nouns, plural of verbs, passive of verbs.
inline constexpr std::string_view plural_noun = "n", plural_verb = "m", passive_verb = "d";

/// Which words a split may use.
enum class Words { all, familiar };

/// Draws concepts and words. Earlier concepts of a class, and the first of two synonyms, are more frequent.
class Speaker {
 public:
  Speaker(Key key, Words words) : stream_(key), words_(words) {}
  bool chance(double probability) { return stream_.uniform() < probability; }
  int below(int bound) { return static_cast<int>(stream_.below(static_cast<uint64_t>(bound))); }
  size_t weighted(std::span<const double> weights) { return stream_.weighted(weights); }
  double normal() { return stream_.normal(); }
  int topic() { return below(Lexicon::topics); }
  int meaning(WordClass kind, int topic);
  /// Another concept of the same class, neither `index` nor its opposite.
  int other_meaning(int index, int topic);
  const std::string& word(int meaning);
  /// Whether every meaning, and its opposite, can be put into words here.
  bool knows(int meaning) const;

 private:
  bool may_use(int word) const { return words_ == Words::all || Lexicon::instance().word(word).familiar; }
  Stream stream_;
  Words words_;
};

}  // namespace tsrun::builtin
