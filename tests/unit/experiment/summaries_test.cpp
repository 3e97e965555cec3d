#include "experiment/summaries.h"

#include "support/folder_test.h"
#include "tsrun/data/task.h"
#include "tsrun/experiment/lab.h"
#include "unit/train/toy.h"

#include <gmock/gmock.h>

namespace tsrun::experiment {
namespace {

using nlohmann::json;

TEST(EvaluationSummary, HasAnInterval_WhenItsPlanIsAskedForOne) {
  EXPECT_FALSE(EvaluationSummary::planned("accuracy", 0).to_json().contains("interval"));
  const json plan = EvaluationSummary::planned("accuracy", 100).to_json();
  EXPECT_EQ(plan["interval"], json({{"low", 0.0}, {"high", 0.0}}));
  EXPECT_EQ(plan["metric"], "accuracy");
}

TEST(Score, IsTheTasksFirstMetric) {
  Evaluation evaluation;
  evaluation.metrics = {{"accuracy", 0.5}, {"f1", 0.25}};
  Task task;
  task.metrics = {"f1", "accuracy"};
  EXPECT_EQ(Score::of(evaluation, task).to_json()["score"], 0.25);
}

/// A laboratory that plans and one that computes, over one store.
class PlannedSummary : public FolderTest {
 protected:
  PlannedSummary() {
    save_model(toy::tiny_bert(), folder_ / "bert");
    save_task(toy::sentiment(32, 16), folder_ / "task");
  }
  LabSettings settings(bool plan_only) {
    LabSettings settings;
    settings.store = folder_ / "store";
    settings.plan_only = plan_only;
    return settings;
  }
  json train(Lab& lab) {
    return lab.call("train", {{"model", lab.call("model", {{"spec", (folder_ / "bert").string()}})},
                              {"task", lab.call("task", {{"spec", (folder_ / "task").string()}})},
                              {"epochs", 1},
                              {"batch_size", 16},
                              {"max_length", 24}});
  }
  json evaluate(Lab& lab, const json& solution) {
    return lab.call("evaluate", {{"solution", solution}, {"bootstrap", 10}, {"max_length", 24}});
  }
};

/// Every field of a plan but its mark is in the result, and holds the same type.
void expect_same_fields(const json& plan, const json& result, const std::string& where) {
  for (const auto& [name, value] : plan.items()) {
    if (name == "planned" || where.ends_with("/metrics")) continue;
    ASSERT_TRUE(result.contains(name)) << where << "/" << name;
    EXPECT_STREQ(result[name].type_name(), value.type_name()) << where << "/" << name;
    if (value.is_object()) expect_same_fields(value, result[name], where + "/" + name);
  }
}

TEST_F(PlannedSummary, HasTheFieldsOfTheResult) {
  Lab planning(settings(true));
  const json planned_training = train(planning), planned_evaluation = evaluate(planning, planned_training);
  Lab running(settings(false));
  const json training = train(running), evaluation = evaluate(running, training);
  ASSERT_EQ(planned_training.at("planned"), true);
  ASSERT_EQ(planned_evaluation.at("planned"), true);
  EXPECT_EQ(planned_evaluation.at("key"), evaluation.at("key"));
  expect_same_fields(planned_training, training, "train");
  expect_same_fields(planned_evaluation, evaluation, "evaluate");
  for (const json& plan : {planned_training, planned_evaluation})
    for (const char* which : {"best", "last"})
      for (const char* name : {"score", "loss", "epoch", "step", "metrics", "top_answer_share"})
        EXPECT_TRUE(plan.at(which).contains(name)) << name;
}

}  // namespace
}  // namespace tsrun::experiment
