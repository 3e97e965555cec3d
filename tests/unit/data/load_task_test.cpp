#include "tsrun/base/hash.h"
#include "tsrun/data/task.h"
#include "unit/data/failure.h"

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tsrun {
namespace {

using ::testing::ElementsAre;

constexpr const char* kTask = R"(name = "nli"
kind = "classification"
text = ["a", "b"]
label = "label"
labels = ["entailment", "neutral"]
metrics = ["accuracy"]
splits.train = "train.tsv"
)";
constexpr const char* kRows = "label\tb\ta\nneutral\tB1\tA1\nentailment\tB2\tA2\nneutral\tB3\tA3\n";

/// A task folder of the running test alone.
class LoadTask : public ::testing::Test {
 protected:
  LoadTask() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) / ("tsrun_" + std::string(test->name()) + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    write("task.toml", kTask);
    write("train.tsv", kRows);
  }
  ~LoadTask() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name, std::ios::binary) << text; }
  std::string path(const std::string& name) { return (folder_ / name).string(); }
  std::string error() {
    return failure([&] { load_task(folder_); });
  }

  std::filesystem::path folder_;
};

TEST_F(LoadTask, ReadsRows_ByColumnName) {
  const Task task = load_task(folder_);
  const Split& train = task.split("train");
  ASSERT_EQ(train.examples.size(), 3u);
  EXPECT_EQ(train.examples[1].first, "A2");
  EXPECT_EQ(train.examples[1].second, "B2");
  EXPECT_EQ(train.examples[1].target, 0);
  EXPECT_EQ(train.examples[2].target, 1);
  EXPECT_EQ(train.examples[2].row, 2);
  EXPECT_TRUE(task.has_pairs());
  EXPECT_DOUBLE_EQ(train.majority_score, 2.0 / 3);
  EXPECT_EQ(train.digest, sha256(kRows));
  EXPECT_EQ(task.folder.string(), folder_.string());
}

TEST_F(LoadTask, ChangesItsDigest_WithAnyFile) {
  const std::string before = load_task(folder_).digest;
  EXPECT_EQ(load_task(folder_).digest, before);
  write("train.tsv", std::string(kRows) + "neutral\tB4\tA4\n");
  const std::string rows_changed = load_task(folder_).digest;
  EXPECT_NE(rows_changed, before);
  write("task.toml", std::string(kTask) + "# a remark\n");
  EXPECT_NE(load_task(folder_).digest, rows_changed);
}

TEST_F(LoadTask, ReadsNumberedColumns_WithoutAHeader) {
  write("task.toml",
        "name='t'\nkind='regression'\ntext=[2]\nlabel=1\nrange=[0.0,5.0]\nmetrics=['pearson']\nsplits.dev='d.csv'\n[format]\ntype='csv'"
        "\nheader=false");
  write("d.csv", "4.5,\"one, two\"\n0,three\n");
  const Task task = load_task(folder_);
  EXPECT_EQ(task.split("dev").examples[0].first, "one, two");
  EXPECT_EQ(task.split("dev").examples[0].target, 4.5);
  EXPECT_EQ(task.split("dev").majority_score, 0);
  EXPECT_FALSE(task.has_pairs());
}

TEST_F(LoadTask, ReadsJsonLines) {
  write("task.toml",
        "name='t'\nkind='classification'\ntext=['q']\nlabel='y'\nlabels=[0,1]\nmetrics=['accuracy']\nsplits.dev='d'\nformat.type='jsonl'");
  write("d", "{\"q\":\"one\",\"y\":1}\n{\"q\":\"two\",\"y\":0}\n");
  EXPECT_EQ(load_task(folder_).split("dev").examples[0].target, 1);
}

TEST_F(LoadTask, ListsTheSplits_WhenOneIsUnknown) {
  const Task task = load_task(folder_);
  EXPECT_EQ(failure([&] { task.split("trian"); }, ErrorKind::user),
            "task 'nli' has no split 'trian' (did you mean 'train'?), expected one of train");
}

TEST_F(LoadTask, NamesTheFolder_ThatIsMissing) {
  EXPECT_EQ(failure([&] { load_task(folder_ / "none"); }), path("none") + ": found no such folder, expected a folder with a task.toml");
}

TEST_F(LoadTask, NamesTheFile_ThatIsMissing) {
  std::filesystem::rename(path("train.tsv"), path("trian.tsv"));
  EXPECT_EQ(error(),
            path("train.tsv") + ": found no such file (did you mean 'trian.tsv'?), expected the split 'train' that task.toml names");
  std::filesystem::remove(path("task.toml"));
  EXPECT_EQ(error(), path("task.toml") + ": found no such file, expected a task description");
}

TEST_F(LoadTask, RefusesAnEmptyFile) {
  write("train.tsv", "");
  EXPECT_EQ(error(), path("train.tsv") + ":1: found an empty file, expected rows");
}

TEST_F(LoadTask, RefusesASplitWithoutRows) {
  write("train.tsv", "label\tb\ta\n");
  EXPECT_EQ(error(), path("train.tsv") + ":1: found a header and no rows, expected at least one row");
}

TEST_F(LoadTask, NamesTheLine_OfAWrongColumnCount) {
  write("train.tsv", std::string(kRows) + "neutral\tB4\n");
  EXPECT_EQ(error(), path("train.tsv") + ":5: found 2 columns, expected 3 (label, b and a)");
}

TEST_F(LoadTask, NamesTheNearMiss_OfALabelOutsideTheList) {
  write("train.tsv", std::string(kRows) + "nuetral\tB4\tA4\n");
  EXPECT_EQ(error(), path("train.tsv") + ":5: found the label 'nuetral' (did you mean 'neutral'?), expected one of entailment and neutral");
}

TEST_F(LoadTask, NamesTheLine_OfMalformedUtf8) {
  write("train.tsv", std::string(kRows) + "neutral\tB4\tA\xC3\n");
  EXPECT_EQ(error(), path("train.tsv") + ":5: found byte 0xc3 at column 13, expected UTF-8");
}

TEST_F(LoadTask, NamesTheNearMiss_OfAMissingColumn) {
  write("train.tsv", "labels\tb\ta\nneutral\tB\tA\n");
  EXPECT_EQ(error(), path("train.tsv") + ":1: found the columns labels, b and a, expected one named 'label' (did you mean 'labels'?)");
}

TEST_F(LoadTask, RefusesNumbers_OutsideTheRange) {
  write("task.toml", "name='t'\nkind='regression'\ntext=['a']\nlabel='label'\nrange=[0,5]\nmetrics=['pearson']\nsplits.train='train.tsv'");
  for (const char* label : {"5.1", "-1", "nan", "inf", "4x", "", " 4"}) {
    write("train.tsv", std::string("a\tlabel\nx\t4.5\ny\t") + label + "\n");
    EXPECT_EQ(error(), path("train.tsv") + ":3: found the label '" + label + "', expected a number from 0 to 5");
  }
}

TEST_F(LoadTask, ReadsWhatSaveTaskWrites) {
  Task task = load_task(folder_);
  task.splits["dev"] = task.splits["train"];
  task.splits["dev"].name = "dev";
  for (const std::string text : {"plain", "a \"quoted\" word", "tab\tline\nend\r\n\"", "\"", " blanks "}) {
    task.splits["dev"].examples[1].first = text;
    save_task(task, folder_ / "copy");
    const Task copy = load_task(folder_ / "copy");
    EXPECT_EQ(copy.labels, task.labels);
    EXPECT_EQ(copy.metrics, task.metrics);
    ASSERT_EQ(copy.split("dev").examples.size(), 3u);
    EXPECT_EQ(copy.split("dev").examples[1].first, text);
    EXPECT_EQ(copy.split("dev").examples[1].second, "B2");
    EXPECT_EQ(copy.split("train").examples[2].target, 1);
  }
}

TEST_F(LoadTask, KeepsNumbers_OfASavedRegression) {
  Task task;
  task.name = "sts";
  task.kind = TaskKind::regression;
  task.high = 5;
  task.metrics = {"spearman"};
  task.splits["dev"] = {"dev", {{"a", {}, 0.1, 0, {}, {}, {}}, {"b", {}, 3.8, 1, {}, {}, {}}, {"c", {}, 1.0 / 3, 2, {}, {}, {}}}, 0, ""};
  save_task(task, folder_ / "copy");
  const Task copy = load_task(folder_ / "copy");
  EXPECT_EQ(copy.high, 5);
  EXPECT_EQ(copy.split("dev").examples[0].target, 0.1);
  EXPECT_EQ(copy.split("dev").examples[2].target, 1.0 / 3);
}

}  // namespace
}  // namespace tsrun
