#include "experiment/report_rows.h"

#include "experiment/handed_out.h"
#include "support/folder_test.h"

#include <gmock/gmock.h>

namespace tsrun::experiment {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// A result as a recipe may make it up: with the least that a row needs.
json result(double score, const std::string& task = "rte") {
  return {{"best", {{"score", 0.75}}},
          {"last", {{"score", score}, {"top_answer_share", 0.5}}},
          {"seed", 2},
          {"model", {{"spec", "bert"}, {"key", "m"}}},
          {"task", {{"spec", task}, {"metric", "f1"}, {"splits", {{"dev", {{"majority_score", 0.25}}}, {"test", json::object()}}}}}};
}

json row(const json& result, const std::string& variant = "full") { return {{"variant", variant}, {"result", result}}; }

TEST(ReportedRow, HoldsWhatTheTableNeeds) {
  json given = row(result(0.5));
  given["section"] = "fine-tuning";
  const ReportedRow reported = ReportedRow::from_json(given);
  EXPECT_EQ(reported.row.variant, "full");
  EXPECT_EQ(reported.row.section, "fine-tuning");
  EXPECT_EQ(reported.row.seed, 2);
  EXPECT_EQ(reported.row.best, 0.75);
  EXPECT_EQ(reported.row.last, 0.5);
  EXPECT_EQ(reported.row.top_answer_share, 0.5);
  EXPECT_TRUE(reported.row.trained);
  EXPECT_EQ(reported.model_key, "m");
  EXPECT_FALSE(reported.task_key);
  const TableHead head = head_of("T", {reported}, "dev");
  EXPECT_EQ(head.metric, "f1");
  EXPECT_EQ(head.majority_score, 0.25);
  EXPECT_TRUE(std::isnan(head_of("T", {reported}, "test").majority_score));
}

TEST(ReportedRow, TakesStepsReachAndSearch) {
  json given = result(0.5);
  given.update({{"artifact", "train"}, {"key", "k"}, {"steps", 12}, {"steps_before", 40}, {"reach_share", 0.5}});
  given["search"] = {{"steps", 30}, {"picked", "lr 0.1"}};
  const Effort effort = ReportedRow::from_json(row(given)).row.effort;
  EXPECT_EQ(effort.steps, 12);
  EXPECT_EQ(effort.before, 40);
  EXPECT_EQ(effort.search, 30);
  EXPECT_EQ(effort.reach, 0.5);
  EXPECT_EQ(effort.rates, "lr 0.1");
}

TEST(ReportedRow, IsTheUsersMistake_WhereARecipeMadeItUp) {
  json made_up = result(0.5);
  made_up.erase("last");
  const Error error = error_of([&] { ReportedRow::from_json(row(made_up, "mine")); });
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("row 'mine'"), HasSubstr("expected a result of ts.train"), HasSubstr("'last'")));
}

TEST(ReportedRow, IsABugOfOurs_WhereAHandleIsNotWhole) {
  json handle = result(0.5);
  handle["artifact"] = "train";
  handle["trainable"] = "many";
  const Error error = error_of([&] { ReportedRow::from_json(row(handle)); });
  EXPECT_EQ(error.kind(), ErrorKind::internal);
  EXPECT_THAT(error.what(), HasSubstr("'trainable'"));
}

TEST(TableHead, RefusesARowOfAnotherSplit) {
  json scored = result(0.5);
  scored["split"] = "test";
  const auto reported = ReportedRow::from_json(row(scored, "mine"));
  EXPECT_EQ(head_of("T", {reported}, "test").split, "test");
  EXPECT_THAT(error_of([&] { head_of("T", {reported}, "dev"); }).what(),
              HasSubstr("row 'mine' was scored on split 'test', but the table is of split 'dev'"));
}

TEST(TableHead, RefusesRowsOfTwoTasks_AndASplitThatTheTaskLacks) {
  const auto one = ReportedRow::from_json(row(result(0.5))), other = ReportedRow::from_json(row(result(0.5, "mrpc"), "mine"));
  EXPECT_THAT(error_of([&] {
                head_of("T", {one, other}, "dev");
              }).what(),
              AllOf(HasSubstr("row 'mine'"), HasSubstr("task mrpc"), HasSubstr("a report for each")));
  EXPECT_THAT(error_of([&] { head_of("T", {one}, "train"); }).what(), HasSubstr("option 'split' is 'train'"));
}

TEST(HoldsHandle, LooksInsideTables) {
  EXPECT_TRUE(holds_handle({{"list", {1, {{"artifact", "mask"}}}}}));
  EXPECT_FALSE(holds_handle({{"list", {1, "artifact"}}}));
}

}  // namespace
}  // namespace tsrun::experiment
