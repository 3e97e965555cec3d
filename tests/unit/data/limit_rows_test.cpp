#include "tsrun/data/task.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tsrun {
namespace {

using ::testing::HasSubstr;

/// 70, 20 and 10 rows of three classes in turn.
Task uneven(TaskKind kind = TaskKind::classification) {
  Task task;
  task.name = "t";
  task.kind = kind;
  task.labels = {"a", "b", "c"};
  for (int64_t i = 0; i < 100; ++i)
    task.splits["train"].examples.push_back({.first = "x", .second = {}, .target = i % 10 < 7 ? 0.0 : i % 10 < 9 ? 1.0 : 2.0, .row = i});
  return task;
}

std::map<double, int> counts_of(const Task& task) {
  std::map<double, int> counts;
  for (const Example& example : task.split("train").examples) ++counts[example.target];
  return counts;
}

TEST(LimitRows, KeepsTheSharesOfTheClasses_WhenStratified) {
  for (const auto& [rows, expected] : std::map<int64_t, std::map<double, int>>{
           {10, {{0, 7}, {1, 2}, {2, 1}}}, {33, {{0, 23}, {1, 7}, {2, 3}}}, {1, {{0, 1}}}, {99, {{0, 69}, {1, 20}, {2, 10}}}}) {
    Task task = uneven();
    limit_rows(task, "train", rows, RowChoice::stratified);
    EXPECT_EQ(counts_of(task), expected) << rows;
  }
}

TEST(LimitRows, KeepsTheSameRowsInTheirOrder) {
  Task once = uneven(), again = uneven();
  limit_rows(once, "train", 40, RowChoice::stratified);
  limit_rows(again, "train", 40, RowChoice::stratified);
  int64_t before = -1;
  for (size_t i = 0; i < 40; ++i) {
    const int64_t row = once.split("train").examples[i].row;
    EXPECT_GT(row, before);
    EXPECT_EQ(row, again.split("train").examples[i].row);
    before = row;
  }
}

TEST(LimitRows, ChoosesOtherRowsInAnotherDraw) {
  const auto rows_of = [](int64_t draw) {
    Task task = uneven();
    limit_rows(task, "train", 40, RowChoice::stratified, draw);
    std::vector<int64_t> rows;
    for (const Example& example : task.split("train").examples) rows.push_back(example.row);
    return rows;
  };
  EXPECT_EQ(rows_of(2), rows_of(2));
  EXPECT_NE(rows_of(1), rows_of(2));
}

TEST(LimitRows, DrawsFromFiveBinsOfARegression) {
  Task task = uneven(TaskKind::regression);
  for (Example& example : task.splits["train"].examples) example.target = static_cast<double>(example.row * 37 % 100);
  limit_rows(task, "train", 10, RowChoice::stratified);
  std::map<int, int> bins;
  for (const Example& example : task.split("train").examples) ++bins[static_cast<int>(example.target) / 20];
  EXPECT_EQ(bins, (std::map<int, int>{{0, 2}, {1, 2}, {2, 2}, {3, 2}, {4, 2}}));
}

TEST(LimitRows, RefusesStrataOfTextsWithoutClasses) {
  Task task = uneven(TaskKind::text_to_text);
  EXPECT_THAT(failure([&] { limit_rows(task, "train", 10, RowChoice::stratified); }, ErrorKind::user),
              HasSubstr("task 't': a text_to_text has no classes"));
}

}  // namespace
}  // namespace tsrun
