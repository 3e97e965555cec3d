#include "tsrun/data/metrics.h"
#include "unit/data/failure.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

struct Answered {
  std::vector<std::string> predictions;
  std::vector<std::vector<std::string>> accepted;
  std::vector<std::string> labels = {};
  double low = 0;
};

double score_text(const std::string& name, const Answered& rows) {
  return text_metric(name, {rows.predictions, rows.accepted, rows.labels, rows.low});
}

TEST(TextMetric, TakesTheBest_OfSeveralAcceptedAnswers) {
  const Answered rows = {{" Paris ", "london", "Rome"}, {{"Lutetia", "Paris"}, {"London"}, {"Oslo", "Bern"}}};
  EXPECT_DOUBLE_EQ(score_text("exact_match", rows), 1.0 / 3);
  EXPECT_DOUBLE_EQ(score_text("accuracy", rows), 2.0 / 3);
}

/// Gold classes a (2 rows) and b (1): F1 of a = 2*1/(2+1), of b = 2*0/(1+0); the class "junk" does not count.
TEST(TextMetric, AveragesF1_OverTheFirstAnswersClasses_WithoutLabels) {
  EXPECT_DOUBLE_EQ(score_text("macro_f1", {{"a", "junk", "junk"}, {{"a"}, {"a"}, {"b"}}}), (2.0 / 3 + 0) / 2);
  EXPECT_DOUBLE_EQ(score_text("macro_f1", {{"b"}, {{"a", "b"}}}), 0);
}

/// scikit-learn: f1_score(labels=[x, y, z], average="macro", zero_division=0).
TEST(TextMetric, AveragesF1_OverTheLabels_WhicheverOccur) {
  const std::vector<std::string> labels = {"x", "y", "z"};
  EXPECT_DOUBLE_EQ(score_text("macro_f1", {{"x", "x"}, {{"x"}, {"x"}}, labels}), 1.0 / 3);
  EXPECT_DOUBLE_EQ(score_text("macro_f1", {{"x", " y", "y", "junk"}, {{"x"}, {"y"}, {"x"}, {"x"}}, labels}), (2.0 / 4 + 2.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(score_text("macro_f1", {{"junk"}, {{"z"}}, labels}), 0);
}

/// Bags {cat, sat, mat, mat} and {cat, sat, on, mat}: 3 in common, F1 = 2*3/8.
TEST(TextMetric, CountsWordsAsSquad_TokenF1) {
  EXPECT_DOUBLE_EQ(score_text("token_f1", {{"The cat sat, mat mat!"}, {{"a Cat sat on the mat."}}}), 0.75);
  EXPECT_DOUBLE_EQ(score_text("token_f1", {{"the"}, {{"a"}}}), 1);
  EXPECT_DOUBLE_EQ(score_text("token_f1", {{""}, {{"cat"}}}), 0);
}

/// Lin 2004, section 3.1: "police kill the gunman" shares "police the gunman" with the reference of four words.
TEST(TextMetric, FindsTheLongestCommonSubsequence_RougeL) {
  EXPECT_DOUBLE_EQ(score_text("rouge_l", {{"police kill the gunman"}, {{"police killed the gunman"}}}), 0.75);
  EXPECT_DOUBLE_EQ(score_text("rouge_l", {{"the gunman kill police"}, {{"police killed the gunman"}}}), 0.5);
  EXPECT_DOUBLE_EQ(score_text("rouge_l", {{"a b"}, {{"c", "x a b y z w"}}}), 2 * 2.0 / 8);
  EXPECT_DOUBLE_EQ(score_text("rouge_l", {{""}, {{""}}}), 1);
}

/// Targets 0 1 2 2 2, predictions 0 1 2 other 1: as scikit-learn's matthews_corrcoef with a fourth class.
TEST(TextMetric, TakesAnyOtherAnswerAsAClass_Matthews) {
  EXPECT_NEAR(score_text("matthews", {{"x", "y", "z", "junk", "y"}, {{"x"}, {"y"}, {"z"}, {"z"}, {"z"}}, {"x", "y", "z"}}),
              0.5669467095138409, 1e-12);
  EXPECT_NEAR(score_text("matthews", {{"x", "y", "z", "junk", "y"}, {{"x"}, {"y"}, {"z"}, {"z"}, {"z"}}}), 0.5669467095138409, 1e-12);
  EXPECT_EQ(score_text("matthews", {{"no", "never"}, {{"x"}, {"x"}}, {"x", "y"}}), 0);
}

TEST(TextMetric, ReadsNumbers_AndTakesTheRestAsLow) {
  EXPECT_DOUBLE_EQ(score_text("pearson", {{"1.0", " 2.0", "3"}, {{"2"}, {"4"}, {"6"}}}), 1);
  const std::vector<std::vector<std::string>> gold = {{"1"}, {"2"}, {"5"}};
  EXPECT_DOUBLE_EQ(score_text("spearman", {{"many", "2", "nan"}, gold, {}, 1}), score_text("spearman", {{"1", "2", "1"}, gold}));
  EXPECT_EQ(score_text("pearson", {{"x", "y", ""}, gold}), 0);
}

TEST(TextMetric, IsOne_ForTheTruth) {
  const Answered rows = {{"1", "2", "0"}, {{"1", "x"}, {"2"}, {"0"}}, {"0", "1", "2"}};
  for (const std::string& name : metric_names(TaskKind::text_to_text)) EXPECT_DOUBLE_EQ(score_text(name, rows), 1) << name;
}

TEST(TextMetric, SurvivesNothing_AndBytesThatAreNoText) {
  for (const std::string& name : metric_names(TaskKind::text_to_text)) {
    EXPECT_TRUE(std::isnan(score_text(name, {}))) << name;
    EXPECT_TRUE(std::isfinite(score_text(name, {{"", "\xFF\xC3", std::string("\0", 1)}, {{}, {"\xFF"}, {""}}}))) << name;
  }
}

TEST(TextMetric, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(
      failure([] { score_text("rouge_1", {}); }, ErrorKind::user),
      "unknown metric 'rouge_1' of answers (did you mean 'rouge_l'?), expected one of exact_match, accuracy, macro_f1, token_f1, rouge_l, "
      "matthews, pearson and spearman");
  EXPECT_EQ(failure(
                [] {
                  score_text("accuracy", {{"a"}, {}});
                },
                ErrorKind::internal),
            "metric 'accuracy' got 1 predictions for 0 rows, expected as many");
}

TEST(TopAnswerShare, ComparesTexts_WithoutWhiteSpaceAtTheirEnds) {
  EXPECT_EQ(top_answer_share(std::vector<std::string>{"a", " a", "b", "a\n"}), 0.75);
  EXPECT_EQ(top_answer_share(std::vector<std::string>{}), 0);
}

}  // namespace
}  // namespace tsrun
