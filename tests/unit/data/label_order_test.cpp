#include "tsrun/base/error.h"
#include "tsrun/data/batch.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Task three_classes() {
  Task task;
  task.name = "t";
  task.labels = {"entailment", "neutral", "contradiction"};
  task.metrics = {"accuracy"};
  Split split;
  split.name = "dev";
  for (int i = 0; i < 3; ++i) split.examples.push_back({.first = "a", .second = {}, .target = static_cast<double>(i)});
  task.splits["dev"] = split;
  return task;
}

std::vector<double> targets_of_split(const Task& task) {
  std::vector<double> targets;
  for (const Example& example : task.split("dev").examples) targets.push_back(example.target);
  return targets;
}

TEST(LabelOrder, FollowsTheNames_IgnoringCase) {
  const auto task = in_order_of(three_classes(), {"CONTRADICTION", "Neutral", "entailment"});
  ASSERT_TRUE(task);
  EXPECT_THAT(task->labels, ElementsAre("contradiction", "neutral", "entailment"));
  EXPECT_THAT(targets_of_split(*task), ElementsAre(2, 1, 0));
  EXPECT_THAT(as_task_classes(*task, {0, 1, 2}), ElementsAre(2, 1, 0));
}

TEST(LabelOrder, KnowsCaseBeyondAscii) {
  Task task = three_classes();
  task.labels = {"Öffentlich", "privat", "Ärger"};
  const auto ordered = in_order_of(task, {"ÄRGER", "öffentlich", "Privat"});
  ASSERT_TRUE(ordered);
  EXPECT_THAT(ordered->class_numbers, ElementsAre(2, 0, 1));
}

TEST(LabelOrder, TurnsInACircleTheRightWayRound) {
  const auto task = in_order_of(three_classes(), {"neutral", "contradiction", "entailment"});
  ASSERT_TRUE(task);
  EXPECT_THAT(targets_of_split(*task), ElementsAre(2, 0, 1));
  EXPECT_THAT(as_task_classes(*task, targets_of_split(*task)), ElementsAre(0, 1, 2));
}

TEST(LabelOrder, StaysAsItIs_WhereTheNamesStandAlike) {
  const auto task = in_order_of(three_classes(), {"Entailment", "NEUTRAL", "contradiction"});
  ASSERT_TRUE(task);
  EXPECT_THAT(task->class_numbers, IsEmpty());
  EXPECT_THAT(task->labels, ElementsAre("entailment", "neutral", "contradiction"));
}

TEST(LabelOrder, IsNotGuessed_FromOtherNames) {
  const Task task = three_classes();
  EXPECT_FALSE(in_order_of(task, {"contradiction", "neutral", "other"}));  // two of three
  EXPECT_FALSE(in_order_of(task, {"contradiction", "entailment"}));
  EXPECT_FALSE(in_order_of(task, {"neutral", "NEUTRAL", "entailment"}));
  EXPECT_FALSE(in_order_of(task, {"LABEL_0", "LABEL_1", "LABEL_2"}));
  EXPECT_FALSE(in_order_of(task, {}));
}

TEST(LabelOrder, MindsCase_WhereLabelsDifferInNothingElse) {
  Task task = three_classes();
  task.labels = {"a", "A", "b"};
  const auto ordered = in_order_of(task, {"B", "A", "a"});
  ASSERT_TRUE(ordered);
  EXPECT_THAT(ordered->class_numbers, ElementsAre(2, 1, 0));
}

TEST(LabelOrder, MovesTags) {
  Task task = three_classes();
  task.kind = TaskKind::token_classification;
  task.splits["dev"].examples[0].tags = {0, 2, 1, 0};
  const auto ordered = in_order_of(task, {"neutral", "entailment", "contradiction"});
  ASSERT_TRUE(ordered);
  EXPECT_THAT(ordered->split("dev").examples[0].tags, ElementsAre(1, 2, 0, 1));
}

TEST(Vocabulary, MayBeShorterThanTheTokenizers_AsLongAsNoRowUsesTheRest) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a", "b", "c"});
  Task task = three_classes();
  EncodeOptions options;
  options.vocabulary = 5;
  EXPECT_EQ(encode_split(task, task.split("dev"), *tokenizer, options).size(), 3);
  task.splits["dev"].examples[1].first = "a c b";
  const std::string message = failure([&] { encode_split(task, task.split("dev"), *tokenizer, options); }, ErrorKind::data);
  EXPECT_THAT(message, AllOf(HasSubstr("row 1"), HasSubstr("'c'"), HasSubstr("id 5"), HasSubstr("vocab_size is 5")));
}

TEST(Vocabulary, IsLookedAtInAnswersAndDocumentsToo) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a", "b", "c"});
  Task task = three_classes();
  EncodeOptions options;
  options.vocabulary = 5;
  task.kind = TaskKind::language_modelling;
  task.splits["dev"].examples[2].first = "b c";
  EXPECT_THAT(failure([&] { encode_split(task, task.split("dev"), *tokenizer, options); }, ErrorKind::data), HasSubstr("'c'"));
  task.splits["dev"].examples[2].first = "b";
  task.kind = TaskKind::text_to_text;
  for (Example& example : task.splits["dev"].examples) example.answers = {"a"};
  task.splits["dev"].examples[1].answers = {"c"};
  for (const ModelKind model_kind : {ModelKind::causal, ModelKind::encoder_decoder}) {
    options.model_kind = model_kind;
    EXPECT_THAT(failure([&] { encode_split(task, task.split("dev"), *tokenizer, options); }, ErrorKind::data),
                AllOf(HasSubstr("row 1"), HasSubstr("'c'")));
  }
}

}  // namespace
}  // namespace tsrun
