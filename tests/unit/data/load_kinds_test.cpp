#include "tsrun/base/random.h"
#include "tsrun/data/task.h"
#include "unit/data/failure.h"
#include "unit/data/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

class LoadKinds : public TaskFolder {
 protected:
  void describe(const std::string& kind, const std::string& lines) {
    write("task.toml", "name = 't'\nkind = '" + kind + "'\nsplits.train = 'rows'\n" + lines);
  }
  const Split& load() {
    task_ = load_task(folder_);
    return task_.split("train");
  }
  std::string refusal() {
    std::string message = failure([&] { load_task(folder_); });
    const std::string prefix = path("rows");
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }
  Task task_;
};

TEST_F(LoadKinds, FillsPrompts_AndReadsAnswersFromColumns) {
  describe("text_to_text", "text = ['q', 'c']\nlabel = ['a', 'b']\nprompt = 'question: {q} context: {c}'\nmetrics = ['accuracy']");
  write("rows", "q\tc\ta\tb\nwho?\there\tAnn\tann\nwhy?\tthere\tso\t\n");
  const Split& split = load();
  EXPECT_EQ(split.examples[0].first, "question: who? context: here");
  EXPECT_THAT(split.examples[0].answers, ElementsAre("Ann", "ann"));
  EXPECT_THAT(split.examples[1].answers, ElementsAre("so", ""));
  EXPECT_EQ(split.majority_score, 0.5);
  EXPECT_FALSE(task_.has_pairs());
}

TEST_F(LoadKinds, JoinsTwoColumns_WithoutAPrompt) {
  describe("text_to_text", "text = ['q', 'c']\nlabel = 'a'\nmetrics = ['accuracy']");
  write("rows", "q\tc\ta\nwho?\there\tAnn\n");
  EXPECT_EQ(load().examples[0].first, "who? here");
}

TEST_F(LoadKinds, ReadsListsOfAnswers_FromJsonLines) {
  describe("text_to_text", "text = 'q'\nlabel = 'a'\nmetrics = ['exact_match']\nformat.type = 'jsonl'");
  write("rows", "{\"q\": \"x\", \"a\": [\"one\", \"1\"]}\n{\"q\": \"y\", \"a\": \"two\"}\n");
  const Split& split = load();
  EXPECT_THAT(split.examples[0].answers, ElementsAre("one", "1"));
  EXPECT_THAT(split.examples[1].answers, ElementsAre("two"));
  write("rows", "{\"q\": \"x\", \"a\": []}\n");
  EXPECT_EQ(refusal(), ":1: found no answer, expected at least one in 'a'");
}

TEST_F(LoadKinds, ReadsCrossfitLines) {
  describe("text_to_text", "metrics = ['accuracy']\nformat.type = 'crossfit'");
  write("rows", "\xEF\xBB\xBF[glue-sst2] sentence: fine\tpositive\tgood\n[glue-sst2] sentence: bad\tnegative\n");
  EXPECT_EQ(load().examples[0].first, "[glue-sst2] sentence: fine");
  EXPECT_THAT(load().examples[0].answers, ElementsAre("positive", "good"));
}

TEST_F(LoadKinds, ReadsOptions_FromColumnsAndLists) {
  describe("multiple_choice",
           "text = 'q'\noptions = ['a', 'b']\nlabels = ['A', 'B']\nlabel = 'l'\nmetrics = ['accuracy']\nprompt = 'Q: {q}'");
  write("rows", "q\ta\tb\tl\nsky?\tred\tblue\tB\n");
  EXPECT_EQ(load().examples[0].first, "Q: sky?");
  EXPECT_THAT(load().examples[0].answers, ElementsAre("red", "blue"));
  EXPECT_EQ(load().examples[0].target, 1);
  describe("multiple_choice", "text = 'q'\noptions = 'o'\nlabel = 'l'\nmetrics = ['accuracy']\nformat.type = 'jsonl'");
  write("rows", "{\"q\": \"sky?\", \"o\": [\"red\", \"green\", \"blue\"], \"l\": 2}\n");
  EXPECT_EQ(load().examples[0].target, 2);
}

TEST_F(LoadKinds, RefusesOptions_ThatARowLacks) {
  describe("multiple_choice", "text = 'q'\noptions = 'o'\nlabel = 'l'\nmetrics = ['accuracy']\nformat.type = 'jsonl'");
  write("rows", "{\"q\": \"x\", \"o\": [\"red\", \"blue\"], \"l\": 2}\n");
  EXPECT_EQ(refusal(), ":1: found the label '2', expected the number of an option from 0 to 1");
  write("rows", "{\"q\": \"x\", \"o\": [\"red\"], \"l\": 0}\n");
  EXPECT_EQ(refusal(), ":1: found 1 options, expected a list of two or more in 'o'");
  write("rows", "{\"q\": \"x\", \"o\": \"red\", \"l\": 0}\n");
  EXPECT_EQ(refusal(), ":1: found a text in 'o', expected a list of two or more texts");
  for (const char* label : {"-1", "0.5", "\"\"", "true", "99999999999999999999"}) {
    write("rows", std::string("{\"q\": \"x\", \"o\": [\"a\", \"b\"], \"l\": ") + label + "}\n");
    EXPECT_THAT(refusal(), StartsWith(":1: found the label '")) << label;
  }
}

TEST_F(LoadKinds, ReadsWordsAndTags) {
  const std::string rest = "text = 'w'\nlabel = 't'\nlabels = ['O', 'B-X']\nmetrics = ['accuracy']\n";
  describe("token_classification", rest + "format.type = 'jsonl'");
  write("rows", "{\"w\": [\"New York\", \"is\"], \"t\": [\"B-X\", \"O\"]}\n");
  EXPECT_THAT(load().examples[0].words, ElementsAre("New York", "is"));
  EXPECT_THAT(load().examples[0].tags, ElementsAre(1, 0));
  EXPECT_EQ(load().majority_score, 0.5);
  describe("token_classification", rest);
  write("rows", "w\tt\nOslo is cold\tB-X O O\n");
  EXPECT_THAT(load().examples[0].words, ElementsAre("Oslo", "is", "cold"));
  EXPECT_THAT(load().examples[0].tags, ElementsAre(1, 0, 0));
}

TEST_F(LoadKinds, NamesTheLine_WhereWordsAndTagsDisagree) {
  const std::string rest = "text = 'w'\nlabel = 't'\nlabels = ['O', 'B-X']\nmetrics = ['accuracy']\n";
  describe("token_classification", rest);
  write("rows", "w\tt\na b\tO O\na b\tO\n");
  EXPECT_EQ(refusal(), ":3: found 1 tags, expected 2, one a word");
  write("rows", "w\tt\na  b\tO O O\n");
  EXPECT_EQ(refusal(), ":2: found an empty word, expected single blanks between words");
  write("rows", "w\tt\n\t\n");
  EXPECT_EQ(refusal(), ":2: found no words, expected at least one");
  write("rows", "w\tt\na\tB-Y\n");
  EXPECT_EQ(refusal(), ":2: found the tag 'B-Y' (did you mean 'B-X'?), expected one of O and B-X");
  describe("token_classification", rest + "format.type = 'jsonl'");
  write("rows", "{\"w\": \"a\", \"t\": [\"O\"]}\n");
  EXPECT_EQ(refusal(), ":1: found a text in 'w', expected a list of texts");
  write("rows", "{\"w\": [[\"a\"]], \"t\": [\"O\"]}\n");
  EXPECT_EQ(refusal(), ":1: found a list in 'w' with an entry that is no text, expected texts");
}

TEST_F(LoadKinds, ReadsDocuments) {
  describe("language_modelling", "separator = '<|endoftext|>'");
  write("rows", "one\n<|endoftext|>\ntwo\n<|endoftext|>\n");
  EXPECT_EQ(load().examples.size(), 2u);
  EXPECT_EQ(load().examples[1].first, "two");
  EXPECT_TRUE(std::isnan(load().majority_score));
  write("rows", "");
  EXPECT_EQ(refusal(), ":1: found an empty file, expected documents");
  write("rows", "one\xFF");
  EXPECT_EQ(refusal(), ":1: found byte 0xff at column 4, expected UTF-8");
}

TEST_F(LoadKinds, SurvivesHugeLines_AndNulBytes) {
  describe("text_to_text", "metrics = ['rouge_l']\nformat.type = 'crossfit'");
  write("rows", std::string(3 << 20, 'x') + "\t" + std::string("\0y", 2) + "\n");
  EXPECT_EQ(load().examples[0].answers[0], std::string("\0y", 2));
  describe("text_to_text", "text = 'q'\nlabel = 'a'\nmetrics = ['accuracy']\nformat.type = 'jsonl'");
  write("rows", "{\"q\": \"\\u0000\", \"a\": \"b\"}\n");
  EXPECT_EQ(load().examples[0].first, std::string("\0", 1));
  write("rows", "{\"q\": \"\\ud800\", \"a\": \"b\"}\n");
  EXPECT_THAT(refusal(), StartsWith(":1: found malformed JSON ("));
}

TEST_F(LoadKinds, ReadsOrRefuses_RandomRows) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"text_to_text", "metrics = ['accuracy']\nformat.type = 'crossfit'"},
      {"token_classification", "labels = ['a', 'b']\nmetrics = ['entity_f1']\nformat.type = 'conll'"},
      {"language_modelling", "separator = 'ab'"},
      {"language_modelling", "documents = 'blank_line'"},
      {"text_to_text", "text = 'a'\nlabel = 'b'\nmetrics = ['token_f1']\nformat.type = 'jsonl'"},
      {"multiple_choice", "text = 'a'\noptions = ['a', 'ab']\nlabel = 'b'\nmetrics = ['accuracy']"},
  };
  const std::vector<std::string> parts = {"a", "b", "\t", " ",  "\n", "\r",         "ab",       "{\"a\":", "\"b\":",
                                          "[", "]", "}",  "\"", ",",  "-DOCSTART-", "\xC3\xA9", "\xFF",    std::string("\0", 1)};
  Stream stream(Key::root(5).split("rows"));
  for (const auto& [kind, lines] : kinds) {
    describe(kind, lines);
    for (int round = 0; round < 400; ++round) {
      std::string text;
      for (uint64_t left = stream.below(16); left > 0; --left) text += parts[stream.below(parts.size())];
      write("rows", text);
      try {
        EXPECT_FALSE(load().examples.empty());
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::data || !std::string(error.what()).starts_with(path("rows") + ":"))
          FAIL() << kind << ' ' << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace tsrun
