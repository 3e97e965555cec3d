#include "support/errors.h"
#include "tsrun/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::StartsWith;
using Verdict = JudgedClaim::Verdict;

ReportRow scored(const std::string& variant, int64_t seed, double last, const std::string& section = "") {
  ReportRow row;
  row.variant = variant;
  row.section = section;
  row.seed = seed;
  row.last = last;
  row.best = last + 0.1;
  return row;
}

/// Rows `a` and `b` with these scores for seeds 1, 2, …
std::vector<ReportRow> two(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<ReportRow> rows;
  for (size_t i = 0; i < a.size(); ++i) rows.push_back(scored("a", static_cast<int64_t>(i) + 1, a[i]));
  for (size_t i = 0; i < b.size(); ++i) rows.push_back(scored("b", static_cast<int64_t>(i) + 1, b[i]));
  return rows;
}

Claim claim(Claim::Kind kind, double margin = 0) {
  return {.kind = kind, .text = "A beats B.", .source = "table 1", .row = "a", .than = "b", .margin = margin};
}

Verdict verdict(Claim::Kind kind, double margin, const std::vector<double>& a, const std::vector<double>& b) {
  return judge(claim(kind, margin), two(a, b), "accuracy", 0).verdict;
}

TEST(Claims, HaveStudentsIntervalOfThePairedDifferences) {
  const JudgedClaim judged = judge(claim(Claim::Kind::better), two({0.9, 0.8, 0.7}, {0.8, 0.6, 0.6}), "accuracy", 0);
  EXPECT_EQ(judged.n, 3);
  EXPECT_NEAR(judged.difference, 0.4 / 3, 1e-12);
  const double half = 4.302653 * std::sqrt(1.0 / 300) / std::sqrt(3.0);  // t of 2 degrees of freedom, deviation of 0.1, 0.2, 0.1
  ASSERT_TRUE(judged.interval);
  EXPECT_NEAR((*judged.interval)[0], 0.4 / 3 - half, 1e-6);
  EXPECT_NEAR((*judged.interval)[1], 0.4 / 3 + half, 1e-6);
}

TEST(Claims, AreDecidedByTheWholeInterval) {
  const std::vector<double> high = {0.90, 0.91, 0.90}, low = {0.70, 0.71, 0.71}, wild = {0.5, 0.99, 0.7};
  EXPECT_EQ(verdict(Claim::Kind::better, 0, high, low), Verdict::supported);
  EXPECT_EQ(verdict(Claim::Kind::better, 0, low, high), Verdict::contradicted);
  EXPECT_EQ(verdict(Claim::Kind::better, 0.3, high, low), Verdict::contradicted);
  EXPECT_EQ(verdict(Claim::Kind::better, 0, high, wild), Verdict::open);
  EXPECT_EQ(verdict(Claim::Kind::not_worse, 0.02, high, low), Verdict::supported);
  EXPECT_EQ(verdict(Claim::Kind::not_worse, 0.02, low, high), Verdict::contradicted);
  EXPECT_EQ(verdict(Claim::Kind::not_worse, 0.3, low, high), Verdict::supported);
  EXPECT_EQ(verdict(Claim::Kind::no_different, 0.05, high, {0.90, 0.90, 0.91}), Verdict::supported);
  EXPECT_EQ(verdict(Claim::Kind::no_different, 0.02, high, low), Verdict::contradicted);
  EXPECT_EQ(verdict(Claim::Kind::no_different, 0.02, high, wild), Verdict::open);
}

TEST(Claims, AreJudgedByPairsOfARecipesOwn) {
  Claim own = claim(Claim::Kind::better);
  own.row = "unified", own.than = "random", own.over = "tasks";
  own.row_scores = {0.9, 0.7, 0.8}, own.than_scores = {0.6, 0.39, 0.5};
  const JudgedClaim judged = judge(own, {}, "", 0);
  EXPECT_EQ(judged.verdict, Verdict::supported);
  EXPECT_NEAR(judged.difference, 0.3033, 1e-4);
  EXPECT_THAT(claims_as_text({judged}), HasSubstr("over 3 tasks"));
}

TEST(Claims, StayOpen_WithOneSeed) {
  const JudgedClaim judged = judge(claim(Claim::Kind::better), two({0.9}, {0.1}), "accuracy", 0);
  EXPECT_EQ(judged.verdict, Verdict::open);
  EXPECT_FALSE(judged.interval);
  EXPECT_THAT(claims_as_text({judged}), HasSubstr("1 seed, no interval"));
}

TEST(Claims, StayOpen_WhereAScoreIsNotFinite) {
  for (const double score : {std::nan(""), HUGE_VAL}) {
    const JudgedClaim judged = judge(claim(Claim::Kind::better), two({0.9, 0.8, score}, {0.1, 0.2, 0.1}), "accuracy", 0);
    EXPECT_EQ(judged.verdict, Verdict::open);
    EXPECT_FALSE(judged.interval);
    EXPECT_THAT(claims_as_text({judged}), HasSubstr("a score over 3 seeds is not a finite number, so no interval"));
  }
}

TEST(Claims, StayOpen_WhereTwoSeedsAgreeByRounding) {
  const auto rows = two({0.81, 0.80}, {0.80, 0.79});
  EXPECT_EQ(judge(claim(Claim::Kind::better), rows, "accuracy", 0).verdict, Verdict::supported);
  EXPECT_EQ(judge(claim(Claim::Kind::better), rows, "accuracy", 1 / 64.0).verdict, Verdict::open);
}

TEST(Claims, CompareSeedsThatBothRowsHave_AndTheScoreThatIsAskedFor) {
  auto rows = two({0.9, 0.8}, {0.5, 0.4, 0.99});
  Claim of_best = claim(Claim::Kind::better);
  of_best.best = true;
  const JudgedClaim judged = judge(of_best, rows, "accuracy", 0);
  EXPECT_EQ(judged.n, 2);
  EXPECT_NEAR(judged.row_mean, 0.95, 1e-12);
  EXPECT_NEAR(judged.difference, 0.4, 1e-12);
}

TEST(Claims, TakeLessForBetter_WhereTheMetricIsALoss) {
  EXPECT_EQ(judge(claim(Claim::Kind::better), two({10, 11, 10.5}, {20, 21, 20.6}), "perplexity", 0).verdict, Verdict::supported);
}

TEST(Claims, RefuseRowsThatAreNotThere_ThatStandTwice_OrShareNoSeed) {
  Claim misspelt = claim(Claim::Kind::better);
  misspelt.than = "fulll";
  std::vector<ReportRow> rows = {scored("a", 1, 0.5), scored("full", 1, 0.5)};
  EXPECT_THAT(message_of(ErrorKind::user, [&] { judge(misspelt, rows, "accuracy", 0); }),
              AllOf(HasSubstr("A beats B."), HasSubstr("no row 'fulll'"), HasSubstr("did you mean 'full'?")));
  rows = {scored("a", 1, 0.5, "one"), scored("a", 1, 0.6, "two"), scored("b", 1, 0.5)};
  EXPECT_THAT(message_of(ErrorKind::user, [&] { judge(claim(Claim::Kind::better), rows, "accuracy", 0); }),
              HasSubstr("stands in 2 sections"));
  rows = {scored("a", 1, 0.5), scored("b", 2, 0.5)};
  EXPECT_THAT(message_of(ErrorKind::user, [&] { judge(claim(Claim::Kind::better), rows, "accuracy", 0); }), HasSubstr("share no seed"));
}

TEST(Claims, SayVerdictNumbersAndInterval_InOneLine) {
  const JudgedClaim judged = judge(claim(Claim::Kind::not_worse, 0.02), two({0.90, 0.91, 0.90}, {0.70, 0.71, 0.71}), "accuracy", 0);
  EXPECT_EQ(
      claims_as_text({judged}),
      "supported: A beats B (table 1). a 0.903, b 0.707: +0.197, 95 % interval +0.182 to +0.211 over 3 seeds; claimed: above -0.020.\n\n");
  EXPECT_THAT(claims_as_markdown({judged}), HasSubstr("- **supported**: A beats B"));
  const nlohmann::json json = claims_as_json({judged});
  EXPECT_EQ(json[0]["verdict"], "supported");
  EXPECT_EQ(json[0]["kind"], "not_worse");
  EXPECT_EQ(json[0]["interval"].size(), 2U);
  EXPECT_EQ(claims_as_text({}), "");
}

TEST(Claims, StandUnderTheirSections) {
  const auto rows = two({0.90, 0.91, 0.90}, {0.70, 0.71, 0.71});
  std::vector<JudgedClaim> claims(4, judge(claim(Claim::Kind::better), rows, "accuracy", 0));
  claims[1].claim.section = claims[2].claim.section = "zeroed <weights>";
  const std::string text = claims_as_text(claims);
  EXPECT_THAT(text, StartsWith("supported: "));
  EXPECT_THAT(text, HasSubstr("\n\nzeroed <weights>:\nsupported: "));
  EXPECT_THAT(text, HasSubstr("\n\nother claims:\nsupported: "));
  EXPECT_EQ(text.find("zeroed"), text.rfind("zeroed")) << "one heading for claims that follow one another";
  EXPECT_THAT(claims_as_markdown(claims), HasSubstr("\n\n**zeroed"));
}

TEST(Claims, AreOpenWithAReason_WhereTheyAreMoot) {
  Claim moot = claim(Claim::Kind::better);
  moot.moot = "full fine-tuning learned nothing";
  const JudgedClaim judged = judge(moot, two({0.90, 0.91, 0.90}, {0.70, 0.71, 0.71}), "accuracy", 0);
  EXPECT_EQ(judged.verdict, Verdict::open);
  EXPECT_TRUE(judged.interval.has_value());
  EXPECT_THAT(claims_as_text({judged}), EndsWith("claimed: above 0.000; decides nothing: full fine-tuning learned nothing.\n\n"));
}

TEST(Claims, ReadTheSame_FromJson) {
  Claim of_best = claim(Claim::Kind::no_different, 0.02), own = claim(Claim::Kind::not_worse, 0.3);
  of_best.best = true, of_best.level = 0.9, of_best.source = "";
  own.row_scores = {0.9, 0.7}, own.than_scores = {0.6, 0.4}, own.over = "tasks";
  own.section = "of tasks", own.moot = "no reason";
  const auto rows = two({0.90, 0.91, 0.90}, {0.70, 0.71, 0.71});
  const std::vector<JudgedClaim> claims = {judge(of_best, rows, "accuracy", 0), judge(own, {}, "", 0),
                                           judge(claim(Claim::Kind::better), two({0.9}, {std::nan("")}), "accuracy", 0)};
  const auto written = nlohmann::json::parse(claims_as_json(claims).dump());
  const auto read = claims_from_json(written);
  EXPECT_EQ(claims_as_text(read), claims_as_text(claims));
  EXPECT_EQ(claims_as_json(read).dump(), written.dump());
}

TEST(Claims, RefuseAnotherForm_OfJson) {
  EXPECT_THAT(message_of(ErrorKind::data, [] { claims_from_json({3}); }), HasSubstr("claims of a run"));
  auto written = claims_as_json({judge(claim(Claim::Kind::better), two({0.9}, {0.1}), "accuracy", 0)});
  written[0]["verdict"] = "true";
  EXPECT_THAT(message_of(ErrorKind::data, [&] { claims_from_json(written); }), HasSubstr("unknown word 'true'"));
}

TEST(Effort, HasColumnsThatSomeRowFills_AndIsReadBack) {
  ReportRow full = scored("full", 1, 0.9), tuned = scored("tuned", 1, 0.9);
  const TableHead head = {"T", "m", "t", "dev", "accuracy", 0.5};
  EXPECT_THAT(table_as_text(head, summarise({full, tuned})), ::testing::Not(HasSubstr("steps")));
  full.effort.steps = 12;
  tuned.effort = {.steps = 12, .before = 1024, .search = 48, .reach = 0.5, .rates = "lr 0.1"};
  const auto rows = summarise({full, tuned});
  EXPECT_THAT(table_as_text(head, rows), AllOf(HasSubstr("steps before"), HasSubstr("1,024"), HasSubstr("0.50"), HasSubstr("lr 0.1")));
  const ResultTable read = table_from_json(table_as_json(head, rows));
  EXPECT_EQ(table_as_csv(read.head, read.rows), table_as_csv(head, rows));
}

TEST(Effort, IsTheMostStepsAndTheLeastReach_OverSeeds) {
  ReportRow one = scored("a", 1, 0.9), two = scored("a", 2, 0.9);
  one.effort = {.steps = 12, .before = 5, .search = 0, .reach = 0.5, .rates = "lr 0.1"};
  two.effort = {.steps = 10, .before = 7, .search = 3, .reach = 2.0, .rates = "lr 0.1"};
  const Effort sum = summarise({one, two}).at(0).effort;
  EXPECT_EQ(sum.steps, 12);
  EXPECT_EQ(sum.before, 7);
  EXPECT_EQ(sum.search, 3);
  EXPECT_EQ(sum.reach, 0.5);
  EXPECT_EQ(sum.rates, "lr 0.1");
}

}  // namespace
}  // namespace tsrun
