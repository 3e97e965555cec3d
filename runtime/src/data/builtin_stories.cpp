#include "builtin_stories.h"

#include "builtin_language.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/random.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>

namespace tsrun::data::builtin {
namespace {

constexpr const char* kVersion = "stories 1";
constexpr size_t kStoryTopics = 16, kTastes = 8;
enum class WordList { noun, verb, adjective, adverb, place, name };
constexpr std::array<size_t, 6> kWords = {640, 256, 320, 96, 160, 128};  ///< of each list

/// Invented words of one list, most frequent first.
using Lexicon = std::array<std::vector<std::string>, kWords.size()>;

/// Words of two to four syllables: frequent ones are short.
std::string story_word(Stream& stream, size_t rank) {
  constexpr std::string_view consonants = "bcdfghjklmnprstvwz", vowels = "aeiou";
  std::string word;
  const size_t syllables = 2 + (rank > 24 ? stream.below(2) : 0) + (rank > 200 ? stream.below(2) : 0);
  for (size_t i = 0; i < syllables; ++i) {
    word += consonants[stream.below(consonants.size())];
    word += vowels[stream.below(vowels.size())];
  }
  return word;
}

const Lexicon& lexicon() {
  static const Lexicon words = [] {
    Lexicon all;
    std::set<std::string> seen;
    Stream stream(Key::root(0).split("builtin story words"));
    for (size_t list = 0; list < all.size(); ++list) {
      while (all[list].size() < kWords[list])
        if (std::string word = story_word(stream, all[list].size()); seen.insert(word).second) all[list].push_back(std::move(word));
    }
    return all;
  }();
  return words;
}

/// Weights 1 / (rank + 2) of the words whose rank is `residue` modulo `modulus`, and 0 of the others.
std::vector<double> zipf_weights(size_t count, size_t residue, size_t modulus) {
  std::vector<double> weights(count, 0.0);
  for (size_t rank = residue; rank < count; rank += modulus) weights[rank] = 1.0 / static_cast<double>(rank + 2);
  return weights;
}

/// Cumulative weights, which are searched for every word.
class Lottery {
 public:
  explicit Lottery(const std::vector<double>& weights) {
    for (const double weight : weights) sums_.push_back((sums_.empty() ? 0 : sums_.back()) + weight);
  }
  size_t draw(Stream& stream) const {
    const double at = stream.uniform() * sums_.back();
    return static_cast<size_t>(std::upper_bound(sums_.begin(), sums_.end() - 1, at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

/// Lotteries of one list: over all of its words, and over each residue class of their ranks.
struct Lotteries {
  Lottery all;
  std::vector<Lottery> classes;
  Lotteries(size_t count, size_t modulus) : all(zipf_weights(count, 0, 1)) {
    for (size_t residue = 0; residue < modulus; ++residue) classes.emplace_back(zipf_weights(count, residue, modulus));
  }
};

const Lotteries& lotteries_of(WordList list) {
  static const std::vector<Lotteries> all = [] {
    std::vector<Lotteries> made;
    for (const size_t count : kWords) made.emplace_back(count, kStoryTopics);
    return made;
  }();
  return all[static_cast<size_t>(list)];
}

/// Nouns that verbs of one taste prefer as their objects.
const Lottery& taste_lottery(size_t taste) {
  static const Lotteries tastes(kWords[static_cast<size_t>(WordList::noun)], kTastes);
  return tastes.classes[taste];
}

class Narrator {
 public:
  explicit Narrator(Key key) : stream_(key), topic_(stream_.below(kStoryTopics)), hero_(word(WordList::name, 0)) {}

  std::string story() {
    for (uint64_t sentence = 0, count = 4 + stream_.below(6); sentence < count; ++sentence) tell(sentence == 0);
    return std::move(text_);
  }

 private:
  bool chance(double probability) { return stream_.uniform() < probability; }
  size_t rank(WordList list, double loyalty) {
    const Lotteries& lotteries = lotteries_of(list);
    return (chance(loyalty) ? lotteries.classes[topic_] : lotteries.all).draw(stream_);
  }
  const std::string& spelling(WordList list, size_t rank) const { return lexicon()[static_cast<size_t>(list)][rank]; }
  const std::string& word(WordList list, double loyalty = 0.5) { return spelling(list, rank(list, loyalty)); }
  void say_word(std::string_view word) { text_.append(text_.empty() ? "" : " ").append(word); }

  void say_noun(const std::string& noun, bool plural) {
    say_word(plural ? "some" : "the");
    if (chance(0.45)) say_word(word(WordList::adjective));
    say_word(noun + (plural ? "n" : ""));
  }

  /// The agent; whether it is plural.
  bool say_agent(bool first) {
    if (first || chance(0.4)) return say_word(first || chance(0.5) ? hero_ : "she"), false;
    const bool plural = chance(0.3);
    say_noun(word(WordList::noun), plural);
    return plural;
  }

  void tell(bool first) {
    if (!first && chance(0.2)) say_word(chance(0.5) ? "then" : "but");
    const bool plural = say_agent(first);
    if (chance(0.15)) {
      say_word(plural ? "are" : "is");
      say_word(word(WordList::adjective));
    } else {
      act(plural);
    }
    say_word(".");
  }

  void act(bool plural) {
    const size_t verb = rank(WordList::verb, 0.5);
    if (chance(0.25)) say_word(word(WordList::adverb, 0.2));
    say_word(spelling(WordList::verb, verb) + (plural ? "m" : ""));
    const Lottery& objects = chance(0.6) ? taste_lottery(verb % kTastes) : lotteries_of(WordList::noun).classes[topic_];
    say_noun(spelling(WordList::noun, objects.draw(stream_)), chance(0.25));
    if (chance(0.35)) {
      say_word(chance(0.7) ? "in" : "near");
      say_word("the");
      say_word(word(WordList::place, 0.7));
    }
  }

  Stream stream_;
  size_t topic_;
  std::string hero_, text_;
};

Split stories(const std::string& name, int64_t count) {
  const Key key = Key::root(0).split("builtin stories").split(name);
  Split split;
  split.name = name;
  split.majority_score = std::numeric_limits<double>::quiet_NaN();
  Sha256 digest;
  for (int64_t row = 0; row < count; ++row) {
    Example& example = split.examples.emplace_back();
    example.first = Narrator(key.split(static_cast<uint64_t>(row))).story();
    example.row = row;
    digest.update(example.first).update("\n");
  }
  split.digest = digest.hex();
  return split;
}

}  // namespace

Task stories_task() {
  Task task;
  task.name = "stories";
  task.kind = TaskKind::language_modelling;
  task.metrics = {"perplexity", "byte_perplexity"};
  std::string content = kVersion;
  for (const auto& [name, count] : {std::pair{"train", 1200}, std::pair{"dev", 150}, std::pair{"test", 150}}) {
    const Split& split = task.splits[name] = stories(name, count);
    content += fmt::format(" {} {}", name, split.digest);
  }
  task.digest = sha256(content);
  return task;
}

}  // namespace tsrun::data::builtin
