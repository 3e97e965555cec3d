#include "tsrun/base/stage_count.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

News stage(const std::string& key, const std::string& kind, const std::string& outcome, double seconds = 0, double work = 1) {
  News news;
  news.kind = News::Kind::stage;
  news.key = key;
  news.stage = kind;
  news.outcome = outcome;
  news.seconds = seconds;
  news.work = work;
  return news;
}

News whole() {
  News news;
  news.kind = News::Kind::planned;
  return news;
}

TEST(StageCount, CountsEachStageOnce_AndThoseInTheStoreAsDone) {
  StageCount count;
  count.take(stage("a", "train", "planned"));
  count.take(stage("b", "train", "in the store", 5));
  EXPECT_FALSE(count.total()) << "the plan is not whole yet";
  count.take(whole());
  EXPECT_EQ(count.total(), 2u);
  EXPECT_EQ(count.done(), 1u);
  count.take(stage("a", "train", "running"));
  count.take(stage("a", "train", "computed", 7));
  count.take(stage("a", "train", "read", 7));
  EXPECT_EQ(count.done(), 2u);
  EXPECT_EQ(count.left(), 0u);
}

TEST(StageCount, CountsADivergedStageAsDone_ButNotItsSpeed) {
  StageCount count;
  count.take(stage("a", "train", "computed", 10, 1));
  count.take(stage("b", "train", "diverged", 0, 1));
  count.take(stage("c", "train", "planned", 0, 2));
  EXPECT_EQ(count.done(), 2u);
  EXPECT_DOUBLE_EQ(*count.seconds_left({}), 20);
}

TEST(StageCount, CountsStagesThatNoPlanForesaw) {
  StageCount count;
  count.take(whole());
  count.take(stage("a", "train", "running"));
  EXPECT_EQ(count.total(), 1u);
}

TEST(StageCount, TellsTheTimeLeftByWork_WithWhatThisRunMeasured) {
  StageCount count;
  count.take(stage("old", "train", "in the store", 1000, 1));
  count.take(stage("a", "train", "computed", 10, 5));
  count.take(stage("b", "train", "planned", 0, 20));
  count.take(stage("c", "train", "running", 0, 10));
  EXPECT_DOUBLE_EQ(*count.seconds_left({}), 60);
  EXPECT_DOUBLE_EQ(*count.seconds_left({{"c", {0.5, 30}}}), 50) << "half of it is done";
}

TEST(StageCount, LearnsFromAStageThatRuns_BeforeAnyHasEnded) {
  StageCount count;
  count.take(stage("a", "train", "running", 0, 10));
  count.take(stage("b", "train", "planned", 0, 10));
  EXPECT_FALSE(count.seconds_left({}));
  EXPECT_DOUBLE_EQ(*count.seconds_left({{"a", {0.25, 3}}}), 9 + 12);
}

TEST(StageCount, GivesAKindThatWasNotMetYetTheMeanOfTheOthers) {
  StageCount count;
  count.take(stage("a", "train", "computed", 10));
  count.take(stage("b", "mask", "computed", 2));
  count.take(stage("c", "evaluation", "planned"));
  EXPECT_DOUBLE_EQ(*count.seconds_left({}), 6);
}

TEST(News, PassesThroughALine) {
  News news = stage("k", "train", "computed", 1.5, 3);
  news.title = "raw: \"outliers\", seed 2\n";
  const auto back = news_from(to_line(news));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->title, news.title);
  EXPECT_EQ(back->work, 3);
  news.note.assign(100000, 'x');
  EXPECT_LE(to_line(news).size(), 4096u);
  EXPECT_TRUE(news_from(to_line(news)));
}

TEST(News, IgnoresWhatElseAProcessWrites) {
  for (const char* line : {"", "hello", "{}", "[1]", R"({"news": "x"})", R"({"news": 1})"}) EXPECT_FALSE(news_from(line)) << line;
}

}  // namespace
}  // namespace tsrun
