#include "tsrun/data/builtin.h"
#include "tsrun/data/task.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Task task_of(TaskKind kind, std::vector<Example> examples) {
  Task task;
  task.name = "rte";
  task.kind = kind;
  task.metrics = {"accuracy", "f1", "macro_f1"};
  task.digest = "d";
  task.columns = {"text_a", "text_b"};
  if (kind == TaskKind::classification) task.labels = {"entailment", "not"};
  task.splits["dev"] = {"dev", std::move(examples), 0, "s"};
  return task;
}

TEST(AsTextToText, NamesEachColumn_BehindTheTask) {
  const Task task = as_text_to_text(task_of(TaskKind::classification, {{"A", "B", 1, 0, {}, {}, {}}, {"C", "D", 1, 1, {}, {}, {}}}));
  const Example& example = task.split("dev").examples[0];
  EXPECT_EQ(task.kind, TaskKind::text_to_text);
  EXPECT_EQ(example.first, "rte text_a: A text_b: B");
  EXPECT_FALSE(example.second.has_value());
  EXPECT_THAT(example.answers, ElementsAre("not"));
  EXPECT_EQ(example.target, 1);
  EXPECT_THAT(task.labels, ElementsAre("entailment", "not"));
  EXPECT_THAT(task.metrics, ElementsAre("accuracy", "macro_f1"));
  EXPECT_EQ(task.split("dev").majority_score, 1);
}

TEST(AsTextToText, UsesTheVerbaliser_AndTellsItInTheDigest) {
  Task task = task_of(TaskKind::classification, {{"A", "B", 0, 0, {}, {}, {}}});
  const std::string plain = as_text_to_text(task).digest;
  task.verbaliser = Verbaliser{"{text_b}? {text_a}", {"yes", "no"}};
  const Task written = as_text_to_text(task);
  EXPECT_EQ(written.split("dev").examples[0].first, "B? A");
  EXPECT_THAT(written.split("dev").examples[0].answers, ElementsAre("yes"));
  EXPECT_NE(written.digest, plain);
  EXPECT_NE(plain, task.digest);
  task.verbaliser->answers = {"yes", "nope"};
  EXPECT_NE(as_text_to_text(task).digest, written.digest);
  EXPECT_EQ(as_text_to_text(written).digest, written.digest);
}

TEST(AsTextToText, RoundsARegression_ToFifths) {
  Task task =
      task_of(TaskKind::regression, {{"A", "B", 3.25, 0, {}, {}, {}}, {"A", "B", 5, 1, {}, {}, {}}, {"A", "B", -0.05, 2, {}, {}, {}}});
  task.metrics = {"pearson", "spearman"};
  task.low = -1;
  task.high = 5;
  const Task written = as_text_to_text(task);
  EXPECT_THAT(written.split("dev").examples[0].answers, ElementsAre("3.2"));
  EXPECT_THAT(written.split("dev").examples[1].answers, ElementsAre("5.0"));
  EXPECT_THAT(written.split("dev").examples[2].answers, ElementsAre("0.0"));
  EXPECT_THAT(written.metrics, ElementsAre("pearson", "spearman"));
  EXPECT_TRUE(written.labels.empty());
}

TEST(AsTextToText, LettersTheOptions_OfAMultipleChoice) {
  Task task = task_of(TaskKind::multiple_choice, {{"Sky?", {}, 1, 0, {"red", "blue"}, {}, {}}});
  task.columns = {"q"};
  task.metrics = {"accuracy"};
  const Task written = as_text_to_text(task);
  EXPECT_EQ(written.split("dev").examples[0].first, "rte q: Sky? (A) red (B) blue");
  EXPECT_THAT(written.split("dev").examples[0].answers, ElementsAre("blue"));
  task.labels = {"A", "B"};
  task.verbaliser = Verbaliser{"{q} {options} Answer:", {"A", "B"}};
  EXPECT_EQ(as_text_to_text(task).split("dev").examples[0].first, "Sky? (A) red (B) blue Answer:");
  EXPECT_THAT(as_text_to_text(task).split("dev").examples[0].answers, ElementsAre("B"));
}

TEST(AsTextToText, ShowsBraces_OfNamesAsTheyAre) {
  Task task = task_of(TaskKind::classification, {{"A", {}, 0, 0, {}, {}, {}}});
  task.name = "{t}";
  task.columns = {"a{b}"};
  EXPECT_EQ(as_text_to_text(task).split("dev").examples[0].first, "{t} text_a: A");
}

TEST(AsTextToText, RefusesTasks_ThatHaveNoAnswers) {
  for (const TaskKind kind : {TaskKind::token_classification, TaskKind::language_modelling})
    EXPECT_THAT(failure([&] { as_text_to_text(task_of(kind, {})); }, ErrorKind::user),
                HasSubstr("expected a classification, regression, multiple_choice or text_to_text"));
}

TEST(AsTextToText, NamesTheColumn_ThatAVerbaliserMisspells) {
  Task task = task_of(TaskKind::classification, {{"A", "B", 0, 0, {}, {}, {}}});
  task.verbaliser = Verbaliser{"{text_c}", {"yes", "no"}};
  EXPECT_THAT(failure([&] { as_text_to_text(task); }, ErrorKind::user), HasSubstr("found the column 'text_c' (did you mean 'text_a'?)"));
  task.verbaliser = Verbaliser{"{text_a}", {"yes"}};
  EXPECT_EQ(failure([&] { as_text_to_text(task); }, ErrorKind::user), "task 'rte': the verbaliser has 1 answers, expected 2, one a label");
}

TEST(AsTextToText, KeepsAnEmptySplit) { EXPECT_TRUE(as_text_to_text(task_of(TaskKind::classification, {})).split("dev").examples.empty()); }

}  // namespace
}  // namespace tsrun
