#pragma once

#include "tsrun/base/random.h"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The generated language. Content words have a class (agent, verb, thing, place: each within a topic; adjective and adverb: each with a
/// polarity) that only their company tells: sentences keep to one topic and one polarity, verbs agree with their agent in number, and the
/// word that joins two sentences says how they relate. All of it is what masked-language pre-training can find out and what a thousand
/// labelled rows cannot, because the training rows of a task use only every other word.
namespace tsrun::data::builtin {

constexpr int kTopics = 5;

enum class Class { agent, verb, thing, place, adjective, adverb };

/// Stems of one class within a topic (agent, verb, thing, place) or of a polarity 0 or 1 (adjective, adverb).
std::span<const std::string> words_of(Class kind, int topic_or_polarity);
/// Every stem, in the order of the vocabulary.
const std::vector<std::string>& stems();
std::span<const std::string_view> function_words();
inline constexpr std::string_view plural_noun = "n", plural_verb = "m";

/// Words in use: the training rows of tasks leave every other word out.
enum class Words { all, familiar };

/// Draws words, one key a text.
class Speaker {
 public:
  Speaker(Key key, Words words) : stream_(key), words_(words) {}
  bool chance(double probability) { return stream_.uniform() < probability; }
  int below(int bound) { return static_cast<int>(stream_.below(static_cast<uint64_t>(bound))); }
  int other(int value, int bound) { return (value + 1 + below(bound - 1)) % bound; }  ///< uniform over the rest
  double normal() { return stream_.normal(); }
  const std::string& word(Class kind, int topic_or_polarity);

 private:
  Stream stream_;
  Words words_;
};

/// Topic and polarity of a sentence. `stray` is the chance that a content word has another topic, or an adjective or adverb the other
/// polarity.
struct Meaning {
  int topic = 0, polarity = 0;
  double stray = 0;
};

/// "the good dogs see the nice ball in the park gladly ."; ungrammatical when `faulty` (agreement, or two words swapped).
std::string say(Speaker& speaker, const Meaning& meaning, bool faulty = false);

/// A question about an agent, a thing or a place, and its answer; `spoiled` answers with the wrong class or the wrong topic.
struct Exchange {
  std::string question, answer;
};
Exchange ask(Speaker& speaker, int topic, bool spoiled);

}  // namespace tsrun::data::builtin
