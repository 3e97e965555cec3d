#include "data/readers.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun::data {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> documents(std::string_view text, std::string_view cut, std::string_view separator = "") {
  std::vector<std::string> texts;
  for (const Example& example : read_documents(text, cut, separator, "x")) texts.push_back(example.first);
  return texts;
}

TEST(ReadCrossfit, ReadsSeveralAcceptedAnswers_CrossFitLine) {
  const auto examples = read_crossfit(" [task] question: \"who\"\tAnn\tann\t\tA. \r\nnext\tno", "x");
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_EQ(examples[0].first, "[task] question: \"who\"");
  EXPECT_THAT(examples[0].answers, ElementsAre("Ann", "ann", "", "A."));
  EXPECT_THAT(examples[1].answers, ElementsAre("no"));
  EXPECT_EQ(examples[1].row, 1);
}

TEST(ReadCrossfit, NamesTheLine_WithoutAnAnswer) {
  EXPECT_EQ(failure([] { read_crossfit("a\tb\n\nonly\n", "x"); }), "x:3: found no tab, expected an input, a tab and an answer");
  EXPECT_EQ(failure([] { read_crossfit("a\t\n", "x"); }), "x:1: found no tab, expected an input, a tab and an answer");
  EXPECT_EQ(failure([] { read_crossfit(" \n\t\n", "x"); }), "x:1: found only blank lines, expected an input, a tab and an answer a line");
}

TEST(ReadConll, ReadsSentences_BetweenBlankLines) {
  const auto examples =
      read_conll("-DOCSTART- -X- O O\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O \n \n\nPeter\tB-PER\r\n", {"O", "B-ORG", "B-PER"}, "x");
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_THAT(examples[0].words, ElementsAre("EU", "rejects"));
  EXPECT_THAT(examples[0].tags, ElementsAre(1, 0));
  EXPECT_THAT(examples[1].words, ElementsAre("Peter"));
  EXPECT_THAT(examples[1].tags, ElementsAre(2));
  EXPECT_EQ(examples[1].row, 1);
}

TEST(ReadConll, NamesTheLine_AndTheNearMiss) {
  const std::vector<std::string> labels = {"O", "B-ORG"};
  EXPECT_EQ(failure([&] { read_conll("EU O\nUN B-OGR\n", labels, "x"); }),
            "x:2: found the tag 'B-OGR' (did you mean 'B-ORG'?), expected one of O and B-ORG");
  EXPECT_EQ(failure([&] { read_conll("EU\n", labels, "x"); }), "x:1: found 1 column, expected a word and, in the last column, its tag");
  EXPECT_EQ(failure([&] { read_conll("-DOCSTART-\n\n", labels, "x"); }), "x:1: found no words, expected a word and its tag a line");
}

TEST(ReadDocuments, CutsAsAsked) {
  const std::string text = "one\ntwo\r\n\n  \nthree\n";
  EXPECT_THAT(documents(text, "file"), ElementsAre(text));
  EXPECT_THAT(documents(text, "line"), ElementsAre("one", "two", "three"));
  EXPECT_THAT(documents(text, "blank_line"), ElementsAre("one\ntwo", "three"));
}

TEST(ReadDocuments, GivesASeparatorItsLineEnds) {
  EXPECT_THAT(documents("a\n<s>\nb\n\n<s>\r\n\nc<s>d\r\n<s> \n<s>", "separator", "<s>"), ElementsAre("a", "b\n", "\nc", "d"));
  EXPECT_THAT(documents("no separator\n", "separator", "<s>"), ElementsAre("no separator\n"));
  EXPECT_THAT(documents("aaa", "separator", "b"), ElementsAre("aaa"));
}

TEST(ReadDocuments, RefusesWhiteSpaceAlone) {
  for (const char* cut : {"file", "line", "blank_line", "separator"})
    EXPECT_EQ(failure([&] { documents(" \n\n\t", cut, "<s>"); }), "x:1: found only white space, expected documents") << cut;
}

TEST(ReadDocuments, KeepsNulBytes) { EXPECT_THAT(documents(std::string_view("a\0b\n", 4), "line"), ElementsAre(std::string("a\0b", 3))); }

TEST(ParseCells, KnowsWhatIsNoText_OfJsonLines) {
  using enum CellType;
  const Cells cells =
      parse_cells("{\"a\":null,\"b\":1}\n{\"b\":true,\"c\":{}}\n{\"a\":\"\",\"b\":[],\"c\":\"x\"}\n", {"jsonl", true, ""}, "x");
  EXPECT_THAT(cells.table.columns, ElementsAre("a", "b", "c"));
  const std::map<CellPlace, CellType> expected = {{{0, 0}, null},    {{0, 1}, number}, {{0, 2}, absent}, {{1, 0}, absent},
                                                  {{1, 1}, boolean}, {{1, 2}, object}, {{2, 1}, list}};
  EXPECT_EQ(cells.types, expected);
  EXPECT_THAT(cells.table.rows, ElementsAre(ElementsAre("", "1", ""), ElementsAre("", "true", "{}"), ElementsAre("", "[]", "x")));
}

/// Old Macs ended lines so; what reads lines must not take a file for one of them.
TEST(ReadLines, RefusesALoneCarriageReturn) {
  const std::string refused =
      "found a carriage return (\\r) that no line feed follows, as in files of old Macs; expected LF or CRLF line ends";
  EXPECT_EQ(failure([] { read_crossfit("a\tb\rc\td\r", "x"); }), "x:1: " + refused);
  EXPECT_EQ(failure([] { read_conll("EU O\n\nUN O\rUS O\n", {"O"}, "x"); }), "x:3: " + refused);
  EXPECT_EQ(failure([] { documents("one\rtwo\r", "line"); }), "x:1: " + refused);
  EXPECT_EQ(failure([] { documents("one\n\ntwo\r\r\n", "blank_line"); }), "x:3: " + refused);
  EXPECT_THAT(documents("one\rtwo", "file"), ElementsAre("one\rtwo")) << "within a document it is a character";
  EXPECT_THAT(documents("one\r\ntwo\r", "line"), ElementsAre("one", "two")) << "a CRLF that the end of the file cut";
}

TEST(ParseCells, KeepsLists_OfJsonLines) {
  const Cells cells =
      parse_cells("{\"a\":\"x\",\"b\":[\"y\",2,0.5]}\n{\"a\":[],\"b\":[[1]]}\n{\"a\":[null],\"b\":[true]}", {"jsonl", true, ""}, "x");
  EXPECT_EQ(cells.lists.size(), 2u) << "lists of texts and numbers alone";
  EXPECT_THAT(cells.lists.at({0, 1}), ElementsAre("y", "2", "0.5"));
  EXPECT_TRUE(cells.lists.at({1, 0}).empty());
  EXPECT_EQ(cells.table.rows[1][1], "[[1]]");
}

}  // namespace
}  // namespace tsrun::data
