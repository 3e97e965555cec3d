#include "experiment/label_map.h"

#include "tsrun/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun::experiment {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Task labelled(const std::string& name, std::vector<std::string> labels) {
  Task task;
  task.name = name;
  task.labels = std::move(labels);
  return task;
}

const Task kNli = labelled("nli", {"entailment", "neutral", "contradiction"});
const Task kPairs = labelled("pairs", {"not_entailment", "Entailment"});

std::string refusal_of(const Task& source, const Task& target, const json& labels) {
  try {
    label_map(source, target, labels);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    return error.what();
  }
  return "";
}

TEST(LabelMap, FindsLabelsOfTheSameName_AndThoseThatAreGiven) {
  EXPECT_THAT(label_map(kNli, labelled("other", {"contradiction", "ENTAILMENT", "neutral"}), {}), ElementsAre(1, 2, 0));
  EXPECT_THAT(label_map(kNli, kPairs, {{"neutral", "not_entailment"}, {"contradiction", "not_entailment"}}), ElementsAre(1, 0, 0));
  EXPECT_THAT(label_map(kPairs, kNli, {{"not_entailment", "neutral"}}), ElementsAre(1, 0));
}

TEST(LabelMap, RefusesLabelsThatStandForNothing) {
  EXPECT_THAT(refusal_of(kNli, kPairs, {{"neutral", "not_entailment"}}),
              AllOf(HasSubstr("'contradiction' of task 'nli' stands for no label of task 'pairs'"), HasSubstr("not_entailment")));
  EXPECT_THAT(refusal_of(kNli, kPairs, {{"neutral", "not_entailmemt"}}), HasSubstr("did you mean 'not_entailment'"));
  EXPECT_THAT(refusal_of(kNli, kPairs, {{"neutrla", "not_entailment"}}), HasSubstr("did you mean 'neutral'"));
  EXPECT_THAT(refusal_of(kNli, kPairs, {{"neutral", 1}}), HasSubstr("stands for 1, expected a label"));
}

TEST(LabelMap, RefusesTasksWithoutClasses) {
  Task regression = labelled("similarity", {});
  regression.kind = TaskKind::regression;
  EXPECT_THAT(refusal_of(kNli, regression, {}), HasSubstr("'similarity' is a regression"));
}

}  // namespace
}  // namespace tsrun::experiment
