#include "data/builtin_language.h"
#include "data/builtin_pairs.h"
#include "data/builtin_tasks.h"

#include <gtest/gtest.h>

#include <set>

namespace tsrun::builtin {
namespace {

constexpr int kDraws = 300;

Speaker speaker_of(int draw, Words words = Words::all) { return {Key::root(7).split("test").split(static_cast<uint64_t>(draw)), words}; }

Clause with_every_modifier(Speaker& speaker) {
  return draw_clause(speaker, speaker.topic(), {.action = 1, .adjective = 1, .place = 1, .manner = 1});
}

TEST(BuiltinLexicon, InventsDifferentFormsThatNeverLookInflected) {
  const auto functions = function_words();
  std::set<std::string> forms(functions.begin(), functions.end());
  const size_t before = forms.size();
  for (const Word& word : Lexicon::instance().words()) {
    forms.insert(word.form);
    EXPECT_NE(std::string("aeiou").find(word.form.back()), std::string::npos) << word.form;
  }
  EXPECT_EQ(forms.size(), before + Lexicon::instance().words().size());
}

TEST(BuiltinLexicon, OppositesAreMutualAndOfOtherSides) {
  const Lexicon& lexicon = Lexicon::instance();
  for (const Word& word : lexicon.words()) {
    const Concept& meaning = lexicon.meaning(word.meaning);
    if (meaning.opposite == none) continue;
    const Concept& other = lexicon.meaning(meaning.opposite);
    EXPECT_EQ(other.opposite, word.meaning);
    EXPECT_NE(other.positive, meaning.positive);
    EXPECT_EQ(lexicon.pair(meaning.opposite), lexicon.pair(word.meaning));
  }
}

TEST(BuiltinFacts, AClauseFollowsFromItselfAndWhatIsLeftOutDoesNotFollowBack) {
  for (int draw = 0; draw < kDraws; ++draw) {
    Speaker speaker = speaker_of(draw);
    const Clause full = with_every_modifier(speaker);
    EXPECT_EQ(relation(full, full), Relation::entailment);
    for (const Part part : all_parts) {
      if (!is_modifier(part)) continue;
      Clause less = full;
      set_part(less, part, none);
      EXPECT_EQ(relation(full, less), Relation::entailment);
      EXPECT_EQ(relation(less, full), Relation::neutral);
    }
  }
}

TEST(BuiltinFacts, NotTheOppositeSaysTheSameAndEitherAloneContradicts) {
  for (int draw = 0; draw < kDraws; ++draw) {
    Speaker speaker = speaker_of(draw);
    const Clause clause = draw_clause(speaker, speaker.topic(), {});
    Clause negated = clause, opposite = clause;
    negated.negated = !clause.negated;
    opposite.predicate = Lexicon::instance().meaning(clause.predicate).opposite;
    Clause both = opposite;
    both.negated = negated.negated;
    EXPECT_EQ(relation(clause, negated), Relation::contradiction);
    EXPECT_EQ(relation(clause, opposite), Relation::contradiction);
    EXPECT_TRUE(equivalent(clause, both));
    EXPECT_EQ(sentiment(clause), sentiment(both));
    EXPECT_EQ(sentiment(clause), -sentiment(negated));
  }
}

TEST(BuiltinFacts, OtherPeopleThingsNumbersAndRolesAreNeutral) {
  for (int draw = 0; draw < kDraws; ++draw) {
    Speaker speaker = speaker_of(draw);
    const Clause clause = draw_clause(speaker, speaker.topic(), {.action = 1});
    for (const Part part : {Part::subject, Part::predicate, Part::object}) {
      Clause other = clause;
      replace_part(speaker, other, part);
      EXPECT_EQ(relation(clause, other), Relation::neutral);
    }
    Clause more = clause, swapped = clause;
    more.subject.plural = !clause.subject.plural;
    EXPECT_EQ(relation(clause, more), Relation::neutral);
    swap_roles(swapped);
    if (can_swap_roles(clause)) {
      EXPECT_EQ(relation(clause, swapped), Relation::neutral);
    }
  }
}

TEST(BuiltinPairs, HypothesesStandInTheWantedRelation) {
  for (int draw = 0; draw < kDraws; ++draw) {
    for (const Words words : {Words::all, Words::familiar}) {
      Speaker speaker = speaker_of(draw, words);
      const Clause premise = draw_clause(speaker, speaker.topic(), {});
      for (const Relation wanted : {Relation::entailment, Relation::neutral, Relation::contradiction}) {
        EXPECT_EQ(relation(premise, hypothesis_for(speaker, premise, wanted)), wanted);
      }
      EXPECT_TRUE(equivalent(premise, paraphrase_of(speaker, premise)));
      EXPECT_FALSE(equivalent(premise, near_miss(speaker, premise)));
    }
  }
}

TEST(BuiltinPairs, QuestionsAreAnsweredByTheirStatementAndNotByASpoiledOne) {
  for (int draw = 0; draw < kDraws; ++draw) {
    Speaker speaker = speaker_of(draw);
    const Clause statement = draw_clause(speaker, speaker.topic(), {.action = 1});
    const Question question = question_about(speaker, statement);
    EXPECT_TRUE(answers(statement, question.clause, question.asked));
    EXPECT_FALSE(answers(spoil_answer(speaker, statement, question), question.clause, question.asked));
  }
}

TEST(BuiltinSentences, AFaultChangesTheWordsAndNotTheirNumber) {
  for (int draw = 0; draw < kDraws; ++draw) {
    for (const Faults faults : {Faults{.agreement = true, .determiner = false}, Faults{.agreement = false, .determiner = true}}) {
      Speaker clause_speaker = speaker_of(draw), right_speaker = speaker_of(draw + kDraws), wrong_speaker = speaker_of(draw + kDraws);
      const Clause clause = draw_clause(clause_speaker, 0, {.near = 0.5});
      const Tokens right = say(right_speaker, clause), wrong = say(wrong_speaker, clause, faults);
      ASSERT_EQ(right.size(), wrong.size());
      size_t different = 0;
      for (size_t i = 0; i < right.size(); ++i) different += right[i] != wrong[i];
      EXPECT_GE(different, 1U) << sentence(wrong);
    }
  }
}

TEST(BuiltinSentences, SaysOnlyWhatTheSplitMayUse) {
  std::set<std::string> strange;
  for (const Word& word : Lexicon::instance().words()) {
    if (!word.familiar) strange.insert(word.form);
  }
  for (int draw = 0; draw < kDraws; ++draw) {
    Speaker speaker = speaker_of(draw, Words::familiar);
    for (const std::string& token : say(speaker, draw_clause(speaker, speaker.topic(), {.near = 0.5})))
      EXPECT_FALSE(strange.contains(token)) << token;
  }
}

TEST(BuiltinTasks, SimilarityIsFiveForAParaphraseAndLessOtherwise) {
  for (int draw = 0; draw < kDraws; ++draw) {
    Speaker speaker = speaker_of(draw);
    const Clause clause = with_every_modifier(speaker);
    EXPECT_DOUBLE_EQ(similarity(clause, paraphrase_of(speaker, clause)), 5);
    Clause other = clause;
    for (const Part part : all_parts) {
      const double before = similarity(clause, other);
      replace_part(speaker, other, part);
      EXPECT_LT(similarity(clause, other), before);
    }
    EXPECT_DOUBLE_EQ(similarity(clause, other), 0);
  }
}

}  // namespace
}  // namespace tsrun::builtin
