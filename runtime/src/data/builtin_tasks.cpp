#include "builtin_tasks.h"

#include "builtin_pairs.h"

#include <algorithm>
#include <cmath>

namespace tsrun::builtin {
namespace {

Row single(const Tokens& tokens, int label) { return {sentence(tokens), std::nullopt, static_cast<double>(label)}; }

Row pair_of(Speaker& speaker, const Clause& first, const Clause& second, double target) {
  return {sentence(say(speaker, first)), sentence(say(speaker, second)), target};
}

/// The main clause decides; a side clause of the other sentiment contradicts it.
Row sentiment_row(Speaker& speaker, int label) {
  const int topic = speaker.topic(), side = label == 1 ? 1 : -1;
  const ClauseLaw law{.action = 0.35, .negated = 0.25, .adjective = 0.2, .place = 0.1, .manner = 0.1};
  const Clause main = draw_judgement(speaker, topic, side, law);
  if (speaker.chance(0.4)) return single(say(speaker, main), label);
  const Clause other = draw_judgement(speaker, topic, -side, law);
  return single(compound(speaker, main, other, speaker.chance(0.6) ? "although" : "but"), label);
}

Row acceptability_row(Speaker& speaker, int label) { return single(judged_sentence(speaker, label == 1), label); }

Row paraphrase_row(Speaker& speaker, int label) {
  const Clause clause = draw_clause(speaker, speaker.topic(), {.action = 0.7, .negated = 0.15});
  return pair_of(speaker, clause, label == 1 ? paraphrase_of(speaker, clause) : near_miss(speaker, clause), label);
}

Row similarity_row(Speaker& speaker, int) {
  const Clause first = draw_clause(speaker, speaker.topic(), {.action = 0.7, .negated = 0.1});
  Clause second = paraphrase_of(speaker, first);
  const double change = 0.25 * speaker.below(4);
  for (const Part part : all_parts) {
    if (!may_have(second, part) || !speaker.chance(change)) continue;
    if (is_modifier(part) && part_of(second, part) != none && speaker.chance(0.5)) {
      set_part(second, part, none);
    } else if (part == Part::predicate && speaker.chance(0.3)) {
      deny(speaker, second);
    } else if (!is_modifier(part) || speaker.chance(0.6)) {
      replace_part(speaker, second, part);
    }
  }
  const double score = similarity(first, second) + 0.3 * speaker.normal();
  return pair_of(speaker, first, second, std::clamp(std::round(score * 5) / 5, 0.0, 5.0));
}

constexpr ClauseLaw kInference{.action = 0.7, .negated = 0.15, .adjective = 0.35, .place = 0.4};

Row entailment_row(Speaker& speaker, int label) {
  const Clause premise = draw_clause(speaker, speaker.topic(), kInference);
  return pair_of(speaker, premise, hypothesis_for(speaker, premise, static_cast<Relation>(label)), label);
}

Row entailment2_row(Speaker& speaker, int label) {
  const Clause premise = draw_clause(speaker, speaker.topic(), kInference);
  const Relation wanted = label == 0 ? Relation::entailment : speaker.chance(0.5) ? Relation::neutral : Relation::contradiction;
  return pair_of(speaker, premise, hypothesis_for(speaker, premise, wanted), label);
}

Row question_match_row(Speaker& speaker, int label) {
  const Clause statement = draw_clause(speaker, speaker.topic(), {.action = 1, .negated = 0.1, .place = 0.55, .manner = 0.45});
  const Question question = question_about(speaker, statement);
  const Clause reply = label == 0 ? statement : spoil_answer(speaker, statement, question);
  return {sentence(ask_for(speaker, question.clause, question.asked), "?"), sentence(say(speaker, reply)), static_cast<double>(label)};
}

/// The main clause tells the topic; a side clause is about another one.
Row topic_row(Speaker& speaker, int label) {
  const ClauseLaw law{.action = 0.5, .adjective = 0.15, .place = 0.2, .manner = 0.1, .stray = 0.1};
  const Clause main = draw_clause(speaker, label, law);
  if (speaker.chance(0.4)) return single(say(speaker, main), label);
  const Clause side = draw_clause(speaker, (label + 1 + speaker.below(Lexicon::topics - 1)) % Lexicon::topics, law);
  return single(compound(speaker, main, side, "while"), label);
}

std::vector<std::string> topic_names() {
  std::vector<std::string> names;
  for (int topic = 0; topic < Lexicon::topics; ++topic) {
    names.push_back(
        Lexicon::instance().word(Lexicon::instance().meaning(Lexicon::instance().concepts(WordClass::place, topic).front()).words[0]).form);
  }
  return names;
}

}  // namespace

double similarity(const Clause& a, const Clause& b) {
  double shared = 0, total = 0;
  for (const Part part : all_parts) {
    const int left = part_of(a, part), right = part_of(b, part);
    if (left == none && right == none) continue;
    const double weight = is_modifier(part) ? 1 : 2;
    total += weight;
    if (left != none && right != none && Lexicon::instance().pair(left) == Lexicon::instance().pair(right)) {
      const bool agree = part == Part::predicate ? (Lexicon::instance().meaning(left).positive != a.negated) ==
                                                       (Lexicon::instance().meaning(right).positive != b.negated)
                                                 : left == right;
      shared += agree ? weight : 0;
    }
  }
  return 5 * shared / total;
}

std::span<const Plan> plans() {
  using enum TaskKind;
  static const std::vector<Plan> all = {
      {"sentiment", classification, {"negative", "positive"}, {"accuracy"}, sentiment_row},
      {"acceptability", classification, {"unacceptable", "acceptable"}, {"matthews", "accuracy"}, acceptability_row},
      {"paraphrase", classification, {"different", "equivalent"}, {"accuracy", "f1"}, paraphrase_row},
      {"similarity", regression, {}, {"pearson", "spearman"}, similarity_row},
      {"entailment2", classification, {"entailment", "not_entailment"}, {"accuracy"}, entailment2_row},
      {"entailment", classification, {"entailment", "neutral", "contradiction"}, {"accuracy"}, entailment_row},
      {"question_match", classification, {"answer", "no_answer"}, {"accuracy"}, question_match_row},
      {"topic", classification, topic_names(), {"accuracy"}, topic_row},
  };
  return all;
}

}  // namespace tsrun::builtin
