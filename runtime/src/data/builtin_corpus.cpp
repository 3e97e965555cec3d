
#include "builtin_pairs.h"
#include "tsrun/data/builtin.h"

#include <array>

namespace tsrun {
namespace builtin {
namespace {

constexpr ClauseLaw kOrdinary{.stray = 0.05};

std::string paired(const std::string& first, const std::string& second) { return first + "\t" + second; }

Tokens with_opening(std::string_view opening, const Tokens& tokens) { return join({std::string(opening)}, "", tokens); }

std::string plain_sentence(Speaker& speaker) {
  ClauseLaw law = kOrdinary;
  law.near = 0.3;
  return sentence(say(speaker, draw_clause(speaker, speaker.topic(), law)));
}

/// "X is A and B": evaluations of one side; "X is A but B": of both sides.
std::string listed_evaluations(Speaker& speaker) {
  const int topic = speaker.topic(), side = speaker.chance(0.5) ? 1 : -1;
  const bool contrast = speaker.chance(0.5);
  ClauseLaw law = kOrdinary;
  law.action = law.negated = law.place = 0;
  const Clause first = draw_judgement(speaker, topic, side, law);
  const Clause second = draw_judgement(speaker, topic, contrast ? -side : side, law);
  return sentence(join(say(speaker, first), contrast ? "but" : "and", {speaker.word(second.predicate)}));
}

std::string contrast(Speaker& speaker) {
  const int topic = speaker.topic(), side = speaker.chance(0.5) ? 1 : -1;
  ClauseLaw law = kOrdinary;
  law.place = law.manner = 0.1;
  const Clause main = draw_judgement(speaker, topic, side, law), other = draw_judgement(speaker, topic, -side, law);
  return sentence(compound(speaker, main, other, speaker.chance(0.5) ? "although" : "but"));
}

std::string meanwhile(Speaker& speaker) {
  ClauseLaw law = kOrdinary;
  law.place = law.manner = law.adjective = 0.1;
  return sentence(compound(speaker, draw_clause(speaker, speaker.topic(), law), draw_clause(speaker, speaker.topic(), law), "while"));
}

/// A judgement, and what everyone thinks of it.
std::string reaction(Speaker& speaker) {
  const int topic = speaker.topic(), side = speaker.chance(0.5) ? 1 : -1;
  ClauseLaw law = kOrdinary;
  law.place = 0.1;
  const Clause judged = draw_judgement(speaker, topic, side, law);
  ClauseLaw opinion = kOrdinary;
  opinion.action = 1;
  const Clause felt = draw_judgement(speaker, topic, speaker.chance(0.5) ? side : -side, opinion);
  const std::string_view who = sentiment(felt) == side ? "everyone" : "nobody";
  return paired(sentence(say(speaker, judged)),
                sentence({std::string(who), speaker.word(felt.predicate), judged.subject.plural ? "they" : "it"}));
}

std::string inference(Speaker& speaker) {
  const Clause premise = draw_clause(speaker, speaker.topic(), kOrdinary);
  constexpr std::array<std::string_view, 3> openings = {"so", "maybe", "no"};
  const auto wanted = static_cast<Relation>(speaker.below(3));
  const Tokens hypothesis = say(speaker, hypothesis_for(speaker, premise, wanted));
  return paired(sentence(say(speaker, premise)), sentence(with_opening(openings[static_cast<size_t>(wanted)], hypothesis)));
}

std::string repetition(Speaker& speaker) {
  const Clause clause = draw_clause(speaker, speaker.topic(), kOrdinary);
  return paired(sentence(say(speaker, clause)), sentence(say(speaker, paraphrase_of(speaker, clause))));
}

std::string yes_or_no(Speaker& speaker) {
  ClauseLaw law = kOrdinary;
  law.negated = 0;
  const Clause asked = draw_clause(speaker, speaker.topic(), law);
  const bool yes = speaker.chance(0.5);
  const Clause answer = hypothesis_for(speaker, asked, yes ? Relation::entailment : Relation::contradiction);
  return paired(sentence(ask(speaker, asked), "?"), sentence(with_opening(yes ? "yes" : "no", say(speaker, answer))));
}

std::string open_question(Speaker& speaker) {
  ClauseLaw law = kOrdinary;
  law.action = 1;
  law.place = law.manner = 0.5;
  const Clause statement = draw_clause(speaker, speaker.topic(), law);
  const Question question = question_about(speaker, statement);
  const bool good = speaker.chance(0.6);
  const Clause reply = good ? statement : spoil_answer(speaker, statement, question);
  return paired(sentence(ask_for(speaker, question.clause, question.asked), "?"),
                sentence(with_opening(good ? "surely" : "anyway", say(speaker, reply))));
}

struct Kind {
  std::string (*make)(Speaker&);
  double share;
};

std::string corpus_line(Speaker& speaker) {
  constexpr std::array<Kind, 9> kinds = {{{plain_sentence, 2},
                                          {listed_evaluations, 2},
                                          {contrast, 1},
                                          {meanwhile, 1},
                                          {reaction, 2},
                                          {inference, 5},
                                          {repetition, 4},
                                          {yes_or_no, 2},
                                          {open_question, 2}}};
  std::array<double, kinds.size()> shares{};
  for (size_t i = 0; i < kinds.size(); ++i) shares[i] = kinds[i].share;
  return kinds[speaker.weighted(shares)].make(speaker);
}

}  // namespace
}  // namespace builtin

std::vector<std::string> make_builtin_corpus(int64_t sentences, uint64_t seed) {
  const Key key = Key::root(seed).split("builtin corpus");
  std::vector<std::string> lines;
  lines.reserve(static_cast<size_t>(sentences));
  for (int64_t i = 0; i < sentences; ++i) {
    builtin::Speaker speaker(key.split(static_cast<uint64_t>(i)), builtin::Words::all);
    lines.push_back(builtin::corpus_line(speaker));
  }
  return lines;
}

}  // namespace tsrun
