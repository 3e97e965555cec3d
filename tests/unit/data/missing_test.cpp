// Cells that are null, absent or of another type than what is read from them.
#include "tsrun/data/task.h"
#include "unit/data/failure.h"
#include "unit/data/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Refused {
  std::string kind, keys, row, message;
};

class MissingCells : public TaskFolder {
 protected:
  void describe(const std::string& kind, const std::string& keys, const std::string& format = "type = 'jsonl'") {
    write("task.toml", "name = 't'\nkind = '" + kind + "'\nsplits.train = 'rows'\n" + keys + "\n[format]\n" + format + "\n");
  }
  std::string refusal() {
    const std::string message = failure([&] { load_task(folder_); });
    return message.starts_with(path("rows")) ? message.substr(path("rows").size()) : message;
  }
  const Example& load() {
    task_ = load_task(folder_);
    return task_.split("train").examples.at(1);
  }
  Task task_;
};

const std::string kClasses = "text = ['p', 'q']\nlabel = 'l'\nlabels = ['no', 'yes']\nmetrics = ['accuracy']";
const std::string kNumbers = "text = 'p'\nlabel = 'l'\nrange = [0, 5]\nmetrics = ['pearson']";
const std::string kChoice = "text = 'p'\noptions = 'o'\nlabel = 'l'\nmetrics = ['accuracy']";
const std::string kColumns = "text = 'p'\noptions = ['o', 'q']\nlabel = 'l'\nmetrics = ['accuracy']";
const std::string kTagTask = "text = 'w'\nlabel = 't'\nlabels = ['O', 'X']\nmetrics = ['accuracy']";
const std::string kAnswers = "text = ['p', 'q']\nlabel = ['a', 'b']\nprompt = '{p} {q}'\nmetrics = ['accuracy']";

TEST_F(MissingCells, AreRefusedWithFileAndLine_WhateverReadsThem) {
  const std::vector<Refused> all = {
      {"classification", kClasses, R"({"p": null, "q": "b", "l": "no"})", "found null in 'p', expected a text"},
      {"classification", kClasses, R"({"p": "a", "l": "no"})", "found the columns p and l, expected one named 'q'"},
      {"classification", kClasses, R"({"p": "a", "q": "b", "l": null})", "found null in 'l', expected a label"},
      {"classification", kClasses, R"({"p": "a", "q": "b"})", "found the columns p and q, expected one named 'l'"},
      {"classification", kClasses, R"({"p": {"x": 1}, "q": "b", "l": "no"})", "found an object in 'p', expected a text"},
      {"classification", kClasses, R"({"p": ["a"], "q": "b", "l": "no"})", "found a list in 'p', expected a text"},
      {"classification", kClasses, R"({"p": true, "q": "b", "l": "no"})", "found a truth value in 'p', expected a text"},
      {"classification", kClasses, R"({"p": "a", "q": "b", "l": ["no"]})", "found a list in 'l', expected a label"},
      {"regression", kNumbers, R"({"p": "a", "l": null})", "found null in 'l', expected a label"},
      {"regression", kNumbers, R"({"p": "a", "l": true})", "found the label 'true', expected a number from 0 to 5"},
      {"multiple_choice", kChoice, R"({"p": "a", "o": null, "l": 0})", "found null in 'o', expected a list of two or more texts"},
      {"multiple_choice", kChoice, R"({"p": "a", "o": ["x", null], "l": 0})",
       "found a list in 'o' with an entry that is no text, expected texts"},
      {"multiple_choice", kChoice, R"({"p": "a", "o": ["x", "y"], "l": null})", "found null in 'l', expected a label"},
      {"multiple_choice", kColumns, R"({"p": "a", "o": "x", "q": null, "l": 0})", "found null in 'q', expected a text"},
      {"token_classification", kTagTask, R"({"w": ["a", null], "t": ["O", "O"]})",
       "found a list in 'w' with an entry that is no text, expected texts"},
      {"token_classification", kTagTask, R"({"w": ["a"], "t": [null]})",
       "found a list in 't' with an entry that is no text, expected texts"},
      {"token_classification", kTagTask, R"({"w": ["a"]})", "found the columns w, expected one named 't'"},
      {"text_to_text", kAnswers, R"({"p": "a", "q": null, "a": "x", "b": "y"})", "found null in 'q', expected a text"},
      {"text_to_text", kAnswers, R"({"p": "a", "q": "b", "a": "x"})", "found the columns p, q and a, expected one named 'b'"},
      {"text_to_text", kAnswers, R"({"p": "a", "q": "b", "a": ["x", null], "b": "y"})",
       "found a list in 'a' with an entry that is no text, expected texts"},
      {"text_to_text", kAnswers, R"({"p": "a", "q": "b", "a": false, "b": "y"})", "found a truth value in 'a', expected a text, or labels"},
  };
  for (const Refused& row : all) {
    describe(row.kind, row.keys);
    write("rows", row.row + "\n");
    EXPECT_THAT(refusal(), HasSubstr(":1: " + row.message)) << row.row;
  }
}

TEST_F(MissingCells, AreWhatTheTaskSays) {
  describe("classification", kClasses, "type = 'jsonl'\nmissing = 'nothing'");
  write("rows", R"({"p": "a", "l": "no"})"
                "\n"
                R"({"p": null, "q": "b", "l": "yes", "extra": null})"
                "\n");
  EXPECT_EQ(load().first, "nothing");
  EXPECT_EQ(task_.split("train").examples[0].second, "nothing");
  describe("multiple_choice", kColumns, "type = 'jsonl'\nmissing = ''");
  write("rows", R"({"p": "a", "o": "x", "q": "y", "l": 0})"
                "\n"
                R"({"o": "x", "q": null, "l": 1})"
                "\n");
  EXPECT_THAT(load().answers, ElementsAre("x", ""));
  EXPECT_EQ(load().first, "");
}

TEST_F(MissingCells, AreToldFromColumns_ThatOtherRowsHave) {
  describe("text_to_text", kAnswers);
  const std::string whole = R"({"p": "a", "q": "b", "a": "x", "b": "y"})"
                            "\n";
  write("rows", whole + "\n" + R"({"p": "a", "a": "x", "b": "y"})" + "\n");
  EXPECT_THAT(refusal(), HasSubstr(":3: found no value in 'q', expected a text (or [format] missing = "));
  write("rows", whole + R"({"p": "a", "q": "b", "a": "x"})" + "\n");
  EXPECT_EQ(refusal(), ":2: found no value in 'b', expected a label");
  write("rows", R"({"p": "a", "q": "b", "a": "x"})"
                "\n" +
                    whole);
  EXPECT_EQ(refusal(), ":1: found no value in 'b', expected a label") << "the first row may be the one that lacks it";
}

TEST_F(MissingCells, StayErrors_WhereALabelIsMissing) {
  describe("classification", kClasses, "type = 'jsonl'\nmissing = 'no'");
  write("rows", R"({"p": "a", "q": "b", "l": null})"
                "\n");
  EXPECT_EQ(refusal(), ":1: found null in 'l', expected a label");
}

TEST_F(MissingCells, DoNotMatter_InColumnsThatNothingReads) {
  describe("regression", kNumbers);
  write("rows", R"({"p": "a", "l": 1, "id": 7})"
                "\n"
                R"({"l": 2.5, "p": "b", "note": null})"
                "\n");
  EXPECT_EQ(load().target, 2.5);
  EXPECT_EQ(load().first, "b");
}

TEST_F(MissingCells, AreEmptyTexts_InTablesWithoutNull) {
  describe("classification", kClasses, "type = 'csv'");
  write("rows", "p,q,l\na,b,no\n,\"\",yes\n");
  EXPECT_EQ(load().first, "");
  EXPECT_EQ(load().second, "");
  describe("classification", kClasses, "type = 'tsv'\nmissing = 'x'");
  EXPECT_THAT(
      refusal(),
      HasSubstr("task.toml:10: found 'missing', expected none (a cell of type = \"tsv\" is never null; an empty one is an empty text)"));
}

TEST_F(MissingCells, LeaveNumbersAsTheyAreWritten) {
  describe("text_to_text", "text = 'p'\nlabel = 'a'\nmetrics = ['accuracy']");
  write("rows", R"({"p": "x", "a": 1})"
                "\n"
                R"({"p": 12, "a": [7, "seven"]})"
                "\n");
  EXPECT_EQ(load().first, "12");
  EXPECT_THAT(load().answers, ElementsAre("7", "seven"));
}

TEST_F(MissingCells, RefuseOptionsOfOtherFormats) {
  describe("regression", kNumbers, "type = 'jsonl'\nheader = false");
  EXPECT_THAT(refusal(), HasSubstr("found 'header', expected none (JSON names its columns)"));
  describe("regression", kNumbers, "type = 'jsonl'\nquote = '\"'");
  EXPECT_THAT(refusal(), HasSubstr("found 'quote', expected none (JSON has quotes of its own)"));
}

struct Spelt {
  std::string labels, cell;
  double index;
};

TEST_F(MissingCells, LabelsAreFound_ByTruthValueAndWholeNumber) {
  const std::vector<Spelt> all = {
      {"['False', 'True']", "true", 1},
      {"['TRUE', 'FALSE']", "false", 1},
      {"[false, true]", "true", 1},
      {"['no', 'true']", "\"True\"", 1},
      {"[0, 1]", "1.0", 1},
      {"[0, 1]", "\"1.0\"", 1},
      {"['0.0', '1.0']", "1", 1},
      {"[2, 1, 0]", "0", 2},
      {"['true', 'True']", "\"True\"", 1},
  };
  for (const Spelt& spelt : all) {
    describe("classification", "text = 'p'\nlabel = 'l'\nlabels = " + spelt.labels + "\nmetrics = ['accuracy']");
    write("rows", "{\"p\": \"a\", \"l\": " + spelt.cell + "}\n{\"p\": \"a\", \"l\": " + spelt.cell + "}\n");
    EXPECT_EQ(load().target, spelt.index) << spelt.labels << ' ' << spelt.cell;
  }
}

TEST_F(MissingCells, LabelsAreNotGuessed) {
  for (const auto& [labels, cell] : std::vector<std::pair<std::string, std::string>>{{"['Yes', 'No']", "\"yes\""},
                                                                                     {"[0, 1]", "0.5"},
                                                                                     {"['TRUE', 'True']", "true"},
                                                                                     {"['yes', 'no']", "true"},
                                                                                     {"['a', 'b']", "\" a\""}}) {
    describe("classification", "text = 'p'\nlabel = 'l'\nlabels = " + labels + "\nmetrics = ['accuracy']");
    write("rows", "{\"p\": \"a\", \"l\": " + cell + "}\n");
    EXPECT_THAT(refusal(), HasSubstr(":1: found the label '")) << labels << ' ' << cell;
  }
}

TEST_F(MissingCells, LabelsOfMessages_AreClippedAndEscaped) {
  describe("classification", "text = 'p'\nlabel = 'l'\nlabels = ['a', 'b']\nmetrics = ['accuracy']");
  write("rows", "{\"p\": \"a\", \"l\": \"\\u001b[2J" + std::string(5000, 'x') + "\"}\n");
  EXPECT_THAT(refusal(), HasSubstr("found the label '\\x1b[2Jxxx"));
  EXPECT_LT(refusal().size(), 300u);
}

TEST_F(MissingCells, AnswersOfTruthValues_AreWrittenAsTheLabels) {
  describe("text_to_text", "text = 'p'\nlabel = 'a'\nlabels = ['False', 'True']\nmetrics = ['accuracy']");
  write("rows", R"({"p": "x", "a": false})"
                "\n"
                R"({"p": "y", "a": true})"
                "\n");
  EXPECT_THAT(load().answers, ElementsAre("True"));
}

TEST_F(MissingCells, ColumnsWithoutAHeader_MayBeFewerThanARowHas) {
  describe("regression", "text = [2, 3]\nlabel = 1\nrange = [0, 5]\nmetrics = ['pearson']", "type = 'tsv'\nheader = false");
  write("rows", "4\ta\tb\tmore\tand more\n5\tc\td\n");
  EXPECT_EQ(load().second, "d");
  write("rows", "4\ta\tb\tmore\n5\tc\n");
  EXPECT_EQ(refusal(), ":2: found 2 columns, expected 3 (1, 2 and 3)");
}

}  // namespace
}  // namespace tsrun
