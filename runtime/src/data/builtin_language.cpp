#include "builtin_language.h"

#include <set>

namespace tsrun::data::builtin {
namespace {

constexpr std::array<std::string_view, 15> kFunctionWords = {"the", "in",        "is",  "does", "who", "what", "where", "also",
                                                             "but", "meanwhile", "yes", "it",   ".",   "?",    ","};

constexpr std::array<size_t, 6> kSizes = {8, 6, 8, 4, 14, 6};  ///< stems of each class, by topic or polarity

int lists_of(Class kind) { return kind == Class::adjective || kind == Class::adverb ? 2 : kTopics; }

/// Pronounceable stems, all different, ending in a vowel so that an ending can follow, in an order drawn once.
std::vector<std::string> invent_stems(size_t count) {
  constexpr std::string_view consonants = "bdfgklmnprstvz", vowels = "aeiou";
  std::set<std::string> seen;
  std::vector<std::string> result;
  Stream stream(Key::root(0).split("builtin stems"));
  while (result.size() < count) {
    std::string stem;
    for (size_t i = 0, syllables = 2 + stream.below(2); i < syllables; ++i) {
      stem += consonants[stream.below(consonants.size())];
      stem += vowels[stream.below(vowels.size())];
    }
    if (seen.insert(stem).second) result.push_back(stem);
  }
  return result;
}

size_t total_stems() {
  size_t total = 0;
  for (size_t kind = 0; kind < kSizes.size(); ++kind) total += kSizes[kind] * static_cast<size_t>(lists_of(static_cast<Class>(kind)));
  return total;
}

using Sentence = std::vector<std::string>;

std::string joined(const Sentence& words) {
  std::string text;
  for (const auto& word : words) text += text.empty() ? word : " " + word;
  return text;
}

int drawn_topic(Speaker& speaker, const Meaning& meaning) {
  return speaker.chance(meaning.stray) ? speaker.other(meaning.topic, kTopics) : meaning.topic;
}

int drawn_polarity(Speaker& speaker, const Meaning& meaning) {
  return speaker.chance(meaning.stray) ? 1 - meaning.polarity : meaning.polarity;
}

void add_noun(Speaker& speaker, Sentence& sentence, Class kind, const Meaning& meaning, bool plural) {
  sentence.emplace_back("the");
  if (kind != Class::place && speaker.chance(0.7)) sentence.push_back(speaker.word(Class::adjective, drawn_polarity(speaker, meaning)));
  sentence.push_back(speaker.word(kind, drawn_topic(speaker, meaning)) + std::string(plural ? plural_noun : ""));
}

/// Swaps two neighbours inside the sentence, so that its words stay the same.
void swap_neighbours(Speaker& speaker, Sentence& sentence) {
  const auto at = static_cast<size_t>(speaker.below(static_cast<int>(sentence.size()) - 2));
  std::swap(sentence[at], sentence[at + 1]);
}

}  // namespace

std::span<const std::string_view> function_words() { return kFunctionWords; }

const std::vector<std::string>& stems() {
  static const std::vector<std::string> all = invent_stems(total_stems());
  return all;
}

std::span<const std::string> words_of(Class kind, int topic_or_polarity) {
  size_t first = 0;
  for (size_t i = 0; i < static_cast<size_t>(kind); ++i) first += kSizes[i] * static_cast<size_t>(lists_of(static_cast<Class>(i)));
  const size_t size = kSizes[static_cast<size_t>(kind)];
  return std::span(stems()).subspan(first + size * static_cast<size_t>(topic_or_polarity), size);
}

const std::string& Speaker::word(Class kind, int topic_or_polarity) {
  const auto words = words_of(kind, topic_or_polarity);
  const int index = below(static_cast<int>(words.size()));
  return words[static_cast<size_t>(words_ == Words::familiar ? index / 2 * 2 : index)];
}

std::string say(Speaker& speaker, const Meaning& meaning, bool faulty) {
  const bool plural = speaker.chance(0.5);
  const int fault = faulty ? 1 + speaker.below(2) : 0;
  Sentence sentence;
  add_noun(speaker, sentence, Class::agent, meaning, plural);
  sentence.push_back(speaker.word(Class::verb, drawn_topic(speaker, meaning)) + std::string(plural != (fault == 1) ? plural_verb : ""));
  add_noun(speaker, sentence, Class::thing, meaning, speaker.chance(0.3));
  if (speaker.chance(0.4)) {
    sentence.emplace_back("in");
    add_noun(speaker, sentence, Class::place, meaning, false);
  }
  sentence.push_back(speaker.word(Class::adverb, drawn_polarity(speaker, meaning)));
  if (fault == 2) swap_neighbours(speaker, sentence);
  sentence.emplace_back(".");
  return joined(sentence);
}

Exchange ask(Speaker& speaker, int topic, bool spoiled) {
  constexpr std::array<Class, 3> kinds = {Class::agent, Class::thing, Class::place};
  const int asked = speaker.below(3);
  const bool wrong_class = spoiled && speaker.chance(0.5);
  const int answered = wrong_class ? speaker.other(asked, 3) : asked;
  const int about = spoiled && !wrong_class ? speaker.other(topic, kTopics) : topic;
  const int polarity = speaker.below(2);  // the same on both sides: it makes rows differ and says nothing about the answer
  const auto described = [&](Class kind, int of) { return speaker.word(Class::adjective, polarity) + " " + speaker.word(kind, of); };
  Sentence question, answer = {"the", described(kinds[static_cast<size_t>(answered)], about), "."};
  const auto& verb = speaker.word(Class::verb, topic);
  if (asked == 0) question = {"who", verb, "the", described(Class::thing, topic), "?"};
  if (asked == 1) question = {"what", "does", "the", described(Class::agent, topic), verb, "?"};
  if (asked == 2) question = {"where", "is", "the", described(Class::thing, topic), "?"};
  return {joined(question), joined(answer)};
}

}  // namespace tsrun::data::builtin
