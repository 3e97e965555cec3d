#include "tsrun/train/train.h"
#include "unit/train/toy.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

/// An evaluation_set of `rows` rows of which the first `right` are answered rightly.
struct Answered {
  Answered(int64_t rows, int64_t right) : task(toy::sentiment(8, rows)) {
    evaluation_set.task = &task;
    evaluation_set.split = &task.split("dev");
    for (int64_t row = 0; row < rows; ++row) {
      evaluation_set.rows.targets.push_back(1);
      predictions.values.push_back(row < right ? 1 : 0);
    }
  }
  Task task;
  EvaluationSet evaluation_set;
  Predictions predictions;
};

TEST(Bootstrap, IntervalOfAShareIsThatOfTheBinomial) {
  const Answered half(400, 200);
  const auto interval = bootstrap_interval(half.evaluation_set, half.predictions, 2000, Key::root(1));
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 0.5 - 1.96 * 0.025, 0.006);
  EXPECT_NEAR(interval->high, 0.5 + 1.96 * 0.025, 0.006);
}

TEST(Bootstrap, TextsGiveTheIntervalOfTheSameAnswersAsClasses) {
  const Answered classes(60, 40);
  Answered words(60, 40);
  words.task.kind = TaskKind::text_to_text;
  for (auto& example : words.task.splits.at("dev").examples) example.answers = {"fine"};
  for (const double value : words.predictions.values) words.predictions.texts.push_back(value == 1 ? "Fine " : "poor");
  const auto a = bootstrap_interval(classes.evaluation_set, classes.predictions, 200, Key::root(1));
  const auto b = bootstrap_interval(words.evaluation_set, words.predictions, 200, Key::root(1));
  ASSERT_TRUE(a && b);
  EXPECT_DOUBLE_EQ(a->low, b->low);
  EXPECT_DOUBLE_EQ(a->high, b->high);
}

TEST(Bootstrap, HasNothingToSayOfRowsWithoutAnswers) {
  const Answered none(4, 0);
  EXPECT_FALSE(bootstrap_interval(none.evaluation_set, {}, 100, Key::root(1)));
}

}  // namespace
}  // namespace tsrun
