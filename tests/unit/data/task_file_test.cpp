#include "tsrun/data/task.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kGood = R"(name = "rte"
kind = "classification"
text = ["text_a", "text_b"]
label = "label"
labels = ["yes", "no"]
metrics = ["accuracy", "f1"]
[splits]
train = "train.tsv"
[format]
type = "tsv"
)";

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = kGood;
  return text.replace(text.find(from), from.size(), to);
}

std::string error_of(const std::string& toml) {
  return failure([&] { parse_task(toml, "task.toml"); });
}

std::string error_of(const std::string& from, const std::string& to) { return error_of(replaced(from, to)); }

TEST(ParseTask, ReadsADescription) {
  const Task task = parse_task(kGood, "task.toml");
  EXPECT_EQ(task.name, "rte");
  EXPECT_EQ(task.kind, TaskKind::classification);
  EXPECT_THAT(task.labels, ElementsAre("yes", "no"));
  EXPECT_THAT(task.metrics, ElementsAre("accuracy", "f1"));
  EXPECT_EQ(task.splits.count("train"), 1u);
  EXPECT_EQ(task.outputs(), 2);
}

TEST(ParseTask, ReadsARegression) {
  const Task task = parse_task(
      "name = 'sts'\nkind = 'regression'\ntext = [1, 2]\nlabel = 3\nrange = [0, 5.0]\nmetrics = ['pearson']\n[splits]\ndev = "
      "'d'\n[format]\nheader = false",
      "t");
  EXPECT_EQ(task.kind, TaskKind::regression);
  EXPECT_EQ(task.low, 0);
  EXPECT_EQ(task.high, 5);
  EXPECT_EQ(task.outputs(), 1);
}

TEST(ParseTask, NamesTheNearMiss_OfAnUnknownKey) {
  EXPECT_EQ(error_of("labels =", "lables ="),
            "task.toml:5: found the unknown key 'lables' (did you mean 'labels'?), expected one of name, kind, text, label, labels, range, "
            "metrics, splits, format and verbaliser");
  EXPECT_EQ(error_of("type = \"tsv\"", "headr = true"),
            "task.toml:10: found the unknown key 'headr' (did you mean 'header'?), expected one of type, header, quote and missing");
}

TEST(ParseTask, NamesTheKinds_WhenOneIsUnknown) {
  EXPECT_EQ(error_of("\"classification\"", "\"clasification\""),
            "task.toml:2: found kind = 'clasification' (did you mean 'classification'?), expected one of classification, regression, "
            "token_classification, multiple_choice, text_to_text and language_modelling");
  EXPECT_THAT(error_of("kind =", "knd ="), StartsWith("task.toml:2: found the unknown key 'knd' (did you mean 'kind'?), expected one of"));
}

TEST(ParseTask, NamesTheKnownMetrics_WhenOneIsUnknown) {
  EXPECT_EQ(error_of("\"f1\"", "\"acuracy\""),
            "task.toml:6: found metrics = 'acuracy' (did you mean 'accuracy'?), expected a list of accuracy, f1, macro_f1, matthews, "
            "pearson and spearman for a "
            "classification");
}

TEST(ParseTask, RefusesAnEmptyFile) { EXPECT_EQ(error_of(" \n"), "task.toml:1: found an empty file, expected a task description"); }

TEST(ParseTask, NamesLineAndColumn_OfMalformedToml) {
  EXPECT_THAT(error_of("kind = ", "kind : "), StartsWith("task.toml:2:6: found malformed TOML ("));
  EXPECT_THAT(error_of("\"rte\"", "\"r\xFFte\""), StartsWith("task.toml:1:"));
}

TEST(ParseTask, NamesWhatIsMissing) {
  for (const char* key : {"name", "kind", "text", "label", "labels", "metrics"}) {
    std::string text = kGood;
    const size_t line = text.find(std::string(key) + " =");
    text.erase(line, text.find('\n', line) + 1 - line);
    EXPECT_THAT(error_of(text), StartsWith("task.toml:1: found no '" + std::string(key) + "', expected ")) << key;
  }
  EXPECT_EQ(error_of("[splits]\ntrain = \"train.tsv\"\n", ""), "task.toml:1: found no 'splits', expected a table of split names and files");
}

TEST(ParseTask, RefusesValues_ThatMakeNoTask) {
  EXPECT_THAT(error_of("\"rte\"", "3"), HasSubstr("task.toml:1: found name = a value of type integer, expected a name"));
  EXPECT_THAT(error_of("[\"text_a\", \"text_b\"]", "[]"), HasSubstr(":3: found text = 0 columns, expected"));
  EXPECT_THAT(error_of("[\"text_a\", \"text_b\"]", "['a', 'b', 'c']"), HasSubstr(":3: found text = 3 columns, expected"));
  EXPECT_THAT(error_of("\"label\"", "\"text_a\""),
              HasSubstr(":4: found label = 'text_a', which is a text column, expected another column"));
  EXPECT_THAT(error_of("\"yes\"", "\"no\""), HasSubstr(":5: found labels = 'no' twice, expected"));
  EXPECT_THAT(error_of("[\"yes\", \"no\"]", "[\"no\"]"), HasSubstr(":5: found labels = 1 names, expected"));
  EXPECT_THAT(error_of("[\"accuracy\", \"f1\"]", "[]"), HasSubstr(":6: found metrics = [], expected"));
  EXPECT_THAT(error_of("\"train.tsv\"", "[]"), HasSubstr(":8: found splits.train = a value of type array, expected a file name"));
  EXPECT_THAT(error_of("\"tsv\"", "\"tvs\""),
              HasSubstr(":10: found type = 'tvs' (did you mean 'tsv'?), expected one of tsv, csv and jsonl"));
  EXPECT_THAT(error_of("type = \"tsv\"", "quote = \"'\""), HasSubstr(":10: found quote = ''', expected"));
  EXPECT_THAT(error_of("kind = \"classification\"", "kind = \"regression\""),
              HasSubstr(":5: found 'labels', expected none (a regression has a range)"));
}

}  // namespace
}  // namespace tsrun
