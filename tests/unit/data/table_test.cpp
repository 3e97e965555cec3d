#include "tsrun/base/random.h"
#include "tsrun/data/task.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

const TableFormat kTsv{}, kCsv{"csv", true, "\""}, kJsonl{"jsonl", true, ""}, kBare{"tsv", false, ""};

std::string error_of(std::string_view text, const TableFormat& format) {
  return failure([&] { parse_table(text, format, "x"); });
}

TEST(ParseTable, ReadsTabs_WithQuotesAsCharacters) {
  const Table table = parse_table("a\tb\n\"x\ty\"z\n", kTsv, "x");
  EXPECT_THAT(table.columns, ElementsAre("a", "b"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("\"x", "y\"z")));
  EXPECT_THAT(table.lines, ElementsAre(2));
}

TEST(ParseTable, ReadsQuotedFields_WithDelimitersLineEndsAndQuotes) {
  const Table table = parse_table("a,b\r\n\"1,\"\"2\"\"\r\n3\",\"\"\r\n4,5", kCsv, "x");
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("1,\"2\"\r\n3", ""), ElementsAre("4", "5")));
  EXPECT_THAT(table.lines, ElementsAre(2, 4));
}

TEST(ParseTable, IgnoresByteOrderMark_CarriageReturns_AndLineEndsAtTheEnd) {
  const Table table = parse_table(
      "\xEF\xBB\xBF"
      "a\tb\r\n1\t2\r\n\r\n\n",
      kTsv, "x");
  EXPECT_THAT(table.columns, ElementsAre("a", "b"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("1", "2")));
}

TEST(ParseTable, KeepsEmptyFields) { EXPECT_THAT(parse_table("a\tb\tc\n\t\t\n", kTsv, "x").rows, ElementsAre(ElementsAre("", "", ""))); }

TEST(ParseTable, NumbersColumns_WithoutAHeader) {
  const Table table = parse_table("1\tx\n0\ty", kBare, "x");
  EXPECT_THAT(table.columns, ElementsAre("1", "2"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("1", "x"), ElementsAre("0", "y")));
  EXPECT_THAT(table.lines, ElementsAre(1, 2));
}

TEST(ParseTable, ReadsJsonLines_InTheFirstRowsOrder) {
  const Table table = parse_table(
      "{\"text\": \"a\\tb\", \"label\": 1, \"ok\": true}\n\n{\"label\": 0.5, \"more\": [], \"ok\": null, \"text\": \"\\u00e9\"}\r\n",
      kJsonl, "x");
  EXPECT_THAT(table.columns, ElementsAre("text", "label", "ok"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("a\tb", "1", "true"), ElementsAre("\xC3\xA9", "0.5", "")));
  EXPECT_THAT(table.lines, ElementsAre(1, 3));
}

TEST(ParseTable, NamesTheLine_OfAWrongColumnCount) {
  EXPECT_EQ(error_of("a\tb\tc\n1\t2\t3\n1\t2\n", kTsv), "x:3: found 2 columns, expected 3 (a, b and c)");
  EXPECT_EQ(error_of("a\tb\n1\t2\n\n3\t4\n", kTsv), "x:3: found 1 column, expected 2 (a and b)");
  EXPECT_EQ(error_of("a,b\n\"1\n\",2\n1,2,3\n", kCsv), "x:4: found 3 columns, expected 2 (a and b)");
}

TEST(ParseTable, NamesTheLine_OfMalformedUtf8) {
  EXPECT_EQ(error_of("a\tb\n1\t2\n1\tx\xFF\n", kTsv), "x:3: found byte 0xff at column 4, expected UTF-8");
}

TEST(ParseTable, RefusesEmptyFiles) {
  for (const TableFormat& format : {kTsv, kCsv, kJsonl}) {
    EXPECT_EQ(error_of("", format), "x:1: found an empty file, expected rows");
    EXPECT_EQ(error_of("\xEF\xBB\xBF\r\n\n", format), "x:1: found an empty file, expected rows");
  }
  EXPECT_EQ(error_of("  \n \n", kJsonl), "x:1: found only blank lines, expected one object a line");
}

TEST(ParseTable, RefusesTwoColumnsOfOneName) {
  EXPECT_EQ(error_of("a\tb\ta\n", kTsv), "x:1: found two columns named 'a', expected every column once");
}

TEST(ParseTable, RefusesMisplacedQuotes) {
  EXPECT_EQ(error_of("a,b\n1,\"2\n3,4\n", kCsv), "x:2: found a quoted field without an end, expected a closing '\"'");
  EXPECT_EQ(error_of("a,b\n1,\"2\"3\n", kCsv), "x:2: found more text after a closing quote, expected a delimiter or the end of the line");
  EXPECT_EQ(error_of("a,b\n1,2\"3\n", kCsv),
            "x:2: found a double quote inside a field, expected the whole field in quotes and the quote doubled");
}

TEST(ParseTable, NamesTheLine_OfMalformedJson) {
  EXPECT_THAT(error_of("{\"a\": 1}\n{\"a\": \n", kJsonl), StartsWith("x:2: found malformed JSON (parse error at line 1, column"));
  EXPECT_EQ(error_of("[1]\n", kJsonl), "x:1: found array, expected an object with columns");
  EXPECT_EQ(error_of("{\"a\": 1}\n{\"b\": 1}\n", kJsonl), "x:2: found no column 'a', expected it as in the first row");
  EXPECT_EQ(error_of(std::string(100000, '['), kJsonl), "x:1: found values nested deeper than 16, expected a flat object");
}

TEST(ParseTable, NamesTheNearMiss_OfAnUnknownType) {
  EXPECT_EQ(failure(
                [] {
                  parse_table("a", {"jsnl", true, ""}, "x");
                },
                ErrorKind::user),
            "x: table type is 'jsnl', expected one of tsv, csv and jsonl (did you mean 'jsonl'?)");
}

TEST(ParseTable, ReadsOrRefuses_RandomText) {
  constexpr std::string_view kBytes = "ab\t,\"\n\r{}:1\\\xC3\xA9\xFF";
  Stream stream(Key::root(3).split("tables"));
  for (int round = 0; round < 6000; ++round) {
    std::string text(stream.below(24), ' ');
    for (char& byte : text) byte = kBytes[stream.below(kBytes.size())];
    for (const TableFormat& format : {kTsv, kCsv, kJsonl, kBare}) {
      try {
        const Table table = parse_table(text, format, "x");
        EXPECT_EQ(table.rows.size(), table.lines.size());
        for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::data);
        EXPECT_THAT(error.what(), StartsWith("x:"));
      }
    }
  }
}

}  // namespace
}  // namespace tsrun
