#include "experiment/crossing.h"

#include <gtest/gtest.h>

namespace tsrun::experiment {
namespace {

/// A training that answers `right` of `rows` rows rightly: those from `first` on.
RowOutcomes run(int64_t right, int64_t rows = 100, int64_t first = 0) {
  RowOutcomes outcomes;
  outcomes.metric = "accuracy";
  outcomes.classes = 2;
  for (int64_t row = 0; row < rows; ++row) {
    outcomes.targets.push_back(1);
    outcomes.values.push_back((row - first + rows) % rows < right ? 1 : 0);
  }
  return outcomes;
}

CrossingInputs inputs(std::vector<CurvePoint> curve) { return {.reference = {run(100), run(100)}, .curve = std::move(curve)}; }

TEST(Crossing, FindsTheSmallestPointAtTheShare) {
  const auto found = find_crossing(inputs({{1, {run(50), run(60)}}, {4, {run(89), run(91)}}, {16, {run(99), run(99)}}}), 0, Key::root(1));
  EXPECT_EQ(found.at, 4);
  EXPECT_DOUBLE_EQ(found.target, 0.9);
  EXPECT_DOUBLE_EQ(found.curve[0].mean, 0.55);
  EXPECT_NEAR(found.curve[0].deviation, 0.0707, 1e-4);
  EXPECT_TRUE(found.violations.empty());
}

TEST(Crossing, CountsAFloor_WhenOneIsGiven) {
  auto given = inputs({{1, {run(91), run(91)}}, {4, {run(95), run(95)}}});
  given.floor = 0.5;
  EXPECT_EQ(find_crossing(given, 0, Key::root(1)).at, 4);
}

TEST(Crossing, TellsPointsThatFall_AboveTheFirstThatHolds) {
  const auto found = find_crossing(inputs({{1, {run(95), run(95)}}, {4, {run(80), run(80)}}, {16, {run(99), run(99)}}}), 0, Key::root(1));
  EXPECT_EQ(found.at, 1);
  EXPECT_EQ(found.violations, std::vector<int64_t>{4});
}

TEST(Crossing, IsBeyondTheCurve_WhenNoPointHolds) {
  const auto found = find_crossing(inputs({{1, {run(50), run(50)}}, {4, {run(60), run(60)}}}), 200, Key::root(1));
  EXPECT_FALSE(found.at);
  EXPECT_FALSE(found.low);
  EXPECT_FALSE(found.high);
  EXPECT_EQ(found.share_reached, 0);
}

TEST(Crossing, HasAnIntervalFromTheLastPointBelow_WhenDrawsAgree) {
  const auto found = find_crossing(inputs({{1, {run(10), run(10)}}, {8, {run(100), run(100)}}}), 200, Key::root(1));
  EXPECT_EQ(found.low, 2) << "1 never holds";
  EXPECT_EQ(found.high, 8);
  EXPECT_EQ(found.share_reached, 1);
}

TEST(Crossing, HasAWideInterval_WhenSeedsDisagree) {
  const auto found =
      find_crossing(inputs({{1, {run(100), run(60)}}, {8, {run(97), run(83)}}, {64, {run(100), run(100)}}}), 500, Key::root(1));
  EXPECT_EQ(found.low, 1) << "of draws with the first seed alone";
  EXPECT_EQ(found.high, 64) << "of draws with the second alone";
}

TEST(Crossing, PairsRows_SoThatEqualTrainingsNeverDiffer) {
  auto given = inputs({{1, {run(50, 100, 20), run(50, 100, 20)}}});
  given.reference = given.curve[0].runs;
  given.share = 1;
  const auto found = find_crossing(given, 300, Key::root(1));
  EXPECT_EQ(found.share_reached, 1);
  EXPECT_EQ(found.high, 1);
}

TEST(Crossing, ReadsMetricsThatAreNoMeans) {
  auto constant = run(0), perfect = run(0);
  constant.metric = perfect.metric = "matthews";
  for (size_t row = 0; row < 100; ++row) perfect.targets[row] = perfect.values[row] = constant.targets[row] = row % 2;
  const auto found = find_crossing({.reference = {perfect}, .curve = {{1, {constant}}, {2, {perfect}}}}, 100, Key::root(1));
  EXPECT_EQ(found.at, 2);
  EXPECT_EQ(found.low, 2);
}

TEST(RowOutcomes, AreTheSameAfterJson) {
  RowOutcomes outcomes;
  outcomes.metric = "entity_f1";
  outcomes.tags = {{0, 1}, {2, -1}};
  outcomes.right_tags = {{0, 1}, {2, 2}};
  outcomes.labels = {"O", "B-x", "I-x"};
  const auto again = RowOutcomes::from_json(outcomes.to_json());
  const std::vector<int64_t> rows = {1, 1, 0};
  EXPECT_EQ(again.to_json(), outcomes.to_json());
  EXPECT_EQ(again.score(rows), outcomes.score(rows));
  EXPECT_EQ(again.rows(), 2);
}

}  // namespace
}  // namespace tsrun::experiment
