#include "builtin_tasks.h"

#include <algorithm>
#include <cmath>

namespace tsrun::data::builtin {
namespace {

/// Some words stray from their text's topic and polarity, and one text in thirty is not what its label says: no task can be solved whole.
constexpr double kStray = 0.08, kWrong = 1.0 / 30;

/// What the text is about, given its label.
int truth(Speaker& speaker, int label, int classes) { return speaker.chance(kWrong) ? speaker.other(label, classes) : label; }

Meaning any_meaning(Speaker& speaker) { return {speaker.below(kTopics), speaker.below(2), kStray}; }

Meaning of_other_topic(Speaker& speaker, Meaning meaning) {
  meaning.topic = speaker.other(meaning.topic, kTopics);
  return meaning;
}

Meaning of_other_polarity(Meaning meaning) {
  meaning.polarity = 1 - meaning.polarity;
  return meaning;
}

Row pair_of(Speaker& speaker, const Meaning& first, const Meaning& second, double target) {
  std::string text = say(speaker, first);
  return {std::move(text), say(speaker, second), target};
}

Row sentiment_row(Speaker& speaker, int label) {
  const int fact = truth(speaker, label, 2);
  return {say(speaker, {speaker.below(kTopics), fact, kStray}), std::nullopt, static_cast<double>(label)};
}

Row topic_row(Speaker& speaker, int label) {
  const int fact = truth(speaker, label, kTopics);
  return {say(speaker, {fact, speaker.below(2), 2 * kStray}), std::nullopt, static_cast<double>(label)};
}

Row acceptability_row(Speaker& speaker, int label) {
  const int fact = truth(speaker, label, 2);
  return {say(speaker, any_meaning(speaker), /*faulty=*/fact == 0), std::nullopt, static_cast<double>(label)};
}

/// Equivalent: about the same, judged the same. Different: about something else, judged the same.
Row paraphrase_row(Speaker& speaker, int label) {
  const int fact = truth(speaker, label, 2);
  const Meaning first = any_meaning(speaker);
  return pair_of(speaker, first, fact == 1 ? first : of_other_topic(speaker, first), static_cast<double>(label));
}

/// The second text follows when it judges the same thing the same way.
Row entailment2_row(Speaker& speaker, int label) {
  const int fact = truth(speaker, label, 2);
  const Meaning first = any_meaning(speaker);
  const Meaning wrong = speaker.chance(0.5) ? of_other_polarity(first) : of_other_topic(speaker, first);
  return pair_of(speaker, first, fact == 0 ? first : wrong, static_cast<double>(label));
}

/// Same topic and polarity: entailment; another topic: neutral; same topic, the other polarity: contradiction.
Row entailment_row(Speaker& speaker, int label) {
  const int fact = truth(speaker, label, 3);
  const Meaning first = any_meaning(speaker);
  Meaning second = first;
  if (fact == 1) second = {speaker.other(first.topic, kTopics), speaker.below(2), kStray};
  if (fact == 2) second = of_other_polarity(first);
  return pair_of(speaker, first, second, static_cast<double>(label));
}

/// 0 to 5: three points for the topic, two for the polarity, and an annotator's noise.
Row similarity_row(Speaker& speaker, int) {
  const Meaning first = any_meaning(speaker);
  const Meaning second = {speaker.chance(0.5) ? first.topic : speaker.other(first.topic, kTopics), speaker.below(2), kStray};
  const double truth = 3.0 * (first.topic == second.topic) + 2.0 * (first.polarity == second.polarity) + 0.3 * speaker.normal();
  return pair_of(speaker, first, second, std::clamp(std::round(truth * 5) / 5, 0.0, 5.0));
}

Row question_match_row(Speaker& speaker, int label) {
  const int fact = truth(speaker, label, 2);
  Exchange exchange = ask(speaker, speaker.below(kTopics), /*spoiled=*/fact == 1);
  return {std::move(exchange.question), std::move(exchange.answer), static_cast<double>(label)};
}

std::vector<std::string> topic_names() {
  std::vector<std::string> names;
  for (int topic = 0; topic < kTopics; ++topic) names.push_back(words_of(Class::place, topic).front());
  return names;
}

}  // namespace

std::span<const Plan> plans() {
  using enum TaskKind;
  const Verbaliser similarity = {"similarity first: {text_a} second: {text_b}", {}};
  const std::string pair = "entailment premise: {text_a} hypothesis: {text_b}";
  static const std::vector<Plan> all = {
      {"sentiment",
       classification,
       {"negative", "positive"},
       {"accuracy"},
       {"sentiment: {text_a}", {"negative", "positive"}},
       sentiment_row},
      {"acceptability",
       classification,
       {"unacceptable", "acceptable"},
       {"matthews", "accuracy"},
       {"acceptable: {text_a}", {"no", "yes"}},
       acceptability_row},
      {"paraphrase",
       classification,
       {"different", "equivalent"},
       {"accuracy", "f1"},
       {"paraphrase first: {text_a} second: {text_b}", {"different", "equivalent"}},
       paraphrase_row},
      {"similarity", regression, {}, {"pearson", "spearman"}, similarity, similarity_row},
      {"entailment2", classification, {"entailment", "not_entailment"}, {"accuracy"}, {pair, {"yes", "no"}}, entailment2_row},
      {"entailment",
       classification,
       {"entailment", "neutral", "contradiction"},
       {"accuracy"},
       {pair, {"yes", "maybe", "no"}},
       entailment_row},
      {"question_match",
       classification,
       {"answer", "no_answer"},
       {"accuracy"},
       {"question: {text_a} answer: {text_b}", {"yes", "no"}},
       question_match_row},
      {"topic", classification, topic_names(), {"accuracy"}, {"topic: {text_a}", topic_names()}, topic_row},
  };
  return all;
}

}  // namespace tsrun::data::builtin
