#include "tsrun/data/builtin.h"
#include "tsrun/data/task.h"
#include "unit/data/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

const std::vector<std::string> kHostile = {
    "plain", "tab\tend\r\n", "\"quoted\"", "{braces}", " blanks ", std::string("\0", 1), "\u00E9\u2028", "[\"a\"]", ""};

class SaveTask : public TaskFolder {
 protected:
  static Task made(TaskKind kind, const std::string& metric) {
    Task task;
    task.name = "a \"name\"";
    task.kind = kind;
    task.metrics = {metric};
    return task;
  }

  static void add(Task& task, const std::string& split, Example example) {
    Split& rows = task.splits[split];
    rows.name = split;
    example.row = static_cast<int64_t>(rows.examples.size());
    rows.examples.push_back(std::move(example));
  }

  Task copied(const Task& task) {
    std::filesystem::remove_all(folder_);
    save_task(task, folder_);
    return load_task(folder_);
  }

  void expect_equal_copy(const Task& task) {
    const Task copy = copied(task);
    EXPECT_EQ(copy.name, task.name);
    EXPECT_EQ(copy.kind, task.kind);
    EXPECT_EQ(copy.labels, task.labels);
    EXPECT_EQ(copy.metrics, task.metrics);
    EXPECT_EQ(copy.low, task.low);
    EXPECT_EQ(copy.high, task.high);
    EXPECT_EQ(copy.answer_prefix, task.answer_prefix);
    EXPECT_EQ(copy.objective, task.objective);
    ASSERT_EQ(copy.splits.size(), task.splits.size());
    for (const auto& [name, split] : task.splits) expect_equal_rows(copy.split(name), split);
  }

  static void expect_equal_rows(const Split& copy, const Split& split) {
    ASSERT_EQ(copy.examples.size(), split.examples.size());
    for (size_t row = 0; row < split.examples.size(); ++row) {
      const Example &a = copy.examples[row], &b = split.examples[row];
      EXPECT_EQ(a.first, b.first);
      EXPECT_EQ(a.second, b.second);
      EXPECT_EQ(a.target, b.target);
      EXPECT_EQ(a.row, b.row);
      EXPECT_EQ(a.answers, b.answers);
      EXPECT_EQ(a.words, b.words);
      EXPECT_EQ(a.tags, b.tags);
    }
  }
};

TEST_F(SaveTask, WritesTextToText_WithEveryAnswer) {
  Task task = made(TaskKind::text_to_text, "rouge_l");
  task.answer_prefix = "<extra_id_0>";
  for (const std::string& text : kHostile) add(task, "train", {text, {}, 0, 0, {text, "second"}, {}, {}});
  expect_equal_copy(task);
  task.labels = {"second", "tab\t"};
  expect_equal_copy(task);
}

TEST_F(SaveTask, WritesMultipleChoice) {
  Task task = made(TaskKind::multiple_choice, "accuracy");
  for (const std::string& text : kHostile) add(task, "dev", {text, {}, 1, 0, {"x", text, "z"}, {}, {}});
  task.columns = {"label"};
  expect_equal_copy(task);
  task.labels = {"A", "B", "C"};
  task.verbaliser = Verbaliser{"{label} {options}", {"a", "b", "c"}};
  expect_equal_copy(task);
  EXPECT_EQ(as_text_to_text(copied(task)).split("dev").examples[1].first, as_text_to_text(task).split("dev").examples[1].first);
}

TEST_F(SaveTask, WritesTokenClassification) {
  Task task = made(TaskKind::token_classification, "entity_f1");
  task.labels = {"O", "B-X"};
  for (const std::string& text : kHostile) add(task, "dev", {"", {}, 0, 0, {}, {text.empty() ? "x" : text, "y"}, {1, 0}});
  expect_equal_copy(task);
}

TEST_F(SaveTask, WritesDocuments_BetweenASeparatorThatNoneHolds) {
  Task task = made(TaskKind::language_modelling, "bits_per_byte");
  task.objective = Objective::masked;
  add(task, "dev", {"a single document\n", {}, 0, 0, {}, {}, {}});
  expect_equal_copy(task);
  for (const char* text : {"two\n", "\nthree", "four\n<|endoftext|>\n", " five", "<|endoftext_1|"})
    add(task, "train", {text, {}, 0, 0, {}, {}, {}});
  expect_equal_copy(task);
  add(task, "train", {"returns\r", {}, 0, 0, {}, {}, {}});
  expect_equal_copy(task);
}

TEST_F(SaveTask, WritesVerbalisers_WithTheirColumns) {
  for (const std::string name : {"entailment", "similarity", "topic"}) {
    const Task task = make_builtin_task(name);
    expect_equal_copy(task);
    const Task copy = copied(task);
    EXPECT_EQ(copy.columns, task.columns);
    EXPECT_EQ(copy.verbaliser->prompt, task.verbaliser->prompt);
    EXPECT_EQ(copy.verbaliser->answers, task.verbaliser->answers);
    expect_equal_copy(as_text_to_text(task).kind == TaskKind::text_to_text ? copy : task);
  }
}

TEST_F(SaveTask, KeepsNamesOfColumns_ThatCollideWithItsOwn) {
  Task task = made(TaskKind::classification, "accuracy");
  task.labels = {"yes", "no"};
  task.columns = {"label", "a\tb"};
  for (const double target : {0.0, 1.0}) add(task, "train", {"x", "y", target, 0, {}, {}, {}});
  expect_equal_copy(task);
  EXPECT_EQ(copied(task).columns, task.columns);
}

}  // namespace
}  // namespace tsrun
