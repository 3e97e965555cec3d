#include "tsrun/data/metrics.h"
#include "tsrun/base/files.h"
#include "unit/data/failure.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cmath>

namespace tsrun {
namespace {

struct Case {
  std::string name;
  std::vector<double> predictions, targets;
  std::map<std::string, double> scores;
  int64_t classes = 2;
};

/// Scores computed by scikit-learn 1 (accuracy, f1, matthews) and scipy 1 (correlations).
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"two classes",
       {1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1},
       {1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0},
       {{"accuracy", 0.5}, {"f1", 0.625}, {"macro_f1", 0.4375}, {"matthews", 0.0}}},
      {"two classes, one never predicted",
       {0, 0, 0, 0, 0, 0},
       {0, 1, 0, 1, 1, 0},
       {{"accuracy", 0.5}, {"f1", 0.0}, {"macro_f1", 0.3333333333333333}, {"matthews", 0.0}}},
      {"four classes",
       {1, 3, 2, 0, 3, 2, 3, 0, 0, 3, 0, 2, 0, 1, 1, 1},
       {1, 0, 0, 0, 0, 2, 2, 2, 1, 2, 3, 1, 1, 3, 3, 3},
       {{"accuracy", 0.1875}, {"f1", 0.18948412698412698}, {"macro_f1", 0.18948412698412698}, {"matthews", -0.0837707816583391}},
       4},
      {"a class that only predictions have",
       {0, 1, 2, 3, 1},
       {0, 1, 2, 2, 2},
       {{"accuracy", 0.6}, {"f1", 0.5416666666666666}, {"macro_f1", 0.5416666666666666}, {"matthews", 0.5669467095138409}},
       4},
      {"values",
       {-0.458, 0.22, -1.01, -0.209, -0.159, 0.541, 0.215, 0.355, -0.654},
       {-0.6, 1, 0.5, -1.5, 1.4, 1.9, 1, 0.6, -1},
       {{"pearson", 0.5561416946558526}, {"spearman", 0.6945667492672501}}},
      {"values with ties",
       {1, 1, 2, 2.5, 2.5, 2.5, 7},
       {0, 3, 3, 1, 4, 4, 5},
       {{"pearson", 0.6301468677116463}, {"spearman", 0.7336328364429545}}},
      {"a large offset",
       {1000000000, 1000000000.25, 1000000000.5, 1000000000.75, 1000000001, 1000000001.25},
       {1, 2, 3, 5, 8, 2},
       {{"pearson", 0.5162601284777506}, {"spearman", 0.5507824838698261}}},
      {"two classes, half right", {1, 1, 0, 0, 1}, {1, 0, 0, 1, 1}, {{"accuracy", 0.6}, {"f1", 2.0 / 3}, {"matthews", 1.0 / 6}}},
  };
  return all;
}

TEST(Metric, EqualsScikitLearnAndScipy) {
  for (const Case& example : cases()) {
    for (const auto& [name, score] : example.scores) {
      EXPECT_NEAR(metric_value(name, example.predictions, example.targets, example.classes), score, 1e-12) << example.name << ' ' << name;
    }
  }
}

/// tests/goldens/make_metrics.py
TEST(Metric, EqualsScikitLearn_WhicheverClassesOccur) {
  const auto goldens = nlohmann::json::parse(read_text(std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/metrics.json"));
  ASSERT_GT(goldens.size(), 10u);
  for (const auto& golden : goldens) {
    const auto predictions = golden.at("predictions").get<std::vector<double>>(), targets = golden.at("targets").get<std::vector<double>>();
    for (const auto& [name, score] : golden.at("scores").items()) {
      EXPECT_NEAR(metric_value(name, predictions, targets, golden.at("classes").get<int64_t>()), score.get<double>(), 1e-12)
          << golden.at("name") << ' ' << name;
    }
  }
}

TEST(Metric, RefusesAMeanOverNoClasses) {
  const std::vector<double> one = {1};
  EXPECT_EQ(failure([&] { metric_value("macro_f1", one, one, 0); }, ErrorKind::internal),
            "metric 'macro_f1' is a mean over classes, but got 0 of them");
}

TEST(ClassesOf, CountsTheTasksLabels_OrTheMostOptions) {
  Task task;
  task.labels = {"a", "b", "c"};
  EXPECT_EQ(classes_of(task, {}), 3);
  task.kind = TaskKind::regression;
  EXPECT_EQ(classes_of(task, {}), 0);
  task.kind = TaskKind::multiple_choice;
  EXPECT_EQ(classes_of(task, {}), 3);
  task.labels.clear();
  Split split;
  split.examples.resize(2);
  split.examples[0].answers = {"x", "y"};
  split.examples[1].answers = {"x", "y", "z", "w"};
  EXPECT_EQ(classes_of(task, split), 4);
}

TEST(Metric, IsZero_WhenOneSideOfACorrelationIsConstant) {
  const std::vector<double> constant = {0.1, 0.1, 0.1}, values = {1, 2, 3};
  for (const char* name : {"pearson", "spearman", "matthews"}) {
    EXPECT_EQ(metric_value(name, constant, values, 2), 0) << name;
    EXPECT_EQ(metric_value(name, values, constant, 2), 0) << name;
    EXPECT_EQ(metric_value(name, constant, constant, 2), 0) << name;
  }
}

TEST(Metric, IsOne_ForTheTruth) {
  const std::vector<double> truth = {0, 1, 1, 0};
  for (const std::string& name : metric_names()) EXPECT_DOUBLE_EQ(metric_value(name, truth, truth, 2), 1) << name;
}

TEST(Metric, IsNotANumber_WhenAPredictionIsNone) {
  const std::vector<double> predictions = {1, std::nan(""), 0}, targets = {1, 0, 1};
  for (const std::string& name : metric_names()) EXPECT_TRUE(std::isnan(metric_value(name, predictions, targets, 2))) << name;
}

TEST(Metric, NamesTheNearMiss_OfAnUnknownMetric) {
  const std::vector<double> values = {1};
  const std::string expected =
      "unknown metric 'acuracy' (did you mean 'accuracy'?), expected one of accuracy, f1, macro_f1, matthews, pearson and spearman";
  EXPECT_EQ(failure([&] { metric_value("acuracy", values, values, 2); }, ErrorKind::user), expected);
}

TEST(Metric, RefusesSidesOfDifferentLength) {
  const std::vector<double> one = {1}, two = {1, 0};
  EXPECT_EQ(failure([&] { metric_value("f1", one, two, 2); }, ErrorKind::internal),
            "metric 'f1' got 1 predictions for 2 targets, expected as many, and some");
}

TEST(TopAnswerShare, IsOne_ForACollapsedClassifier) {
  EXPECT_EQ(top_answer_share(std::vector<double>{2, 2, 2}), 1);
  EXPECT_EQ(top_answer_share(std::vector<double>{0, 1, 1, 2}), 0.5);
  EXPECT_EQ(top_answer_share(std::vector<double>{}), 0);
}

}  // namespace
}  // namespace tsrun
