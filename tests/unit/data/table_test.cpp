#include "data/readers.h"
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
  EXPECT_THAT(table.columns, ElementsAre("text", "label", "ok", "more"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("a\tb", "1", "true", ""), ElementsAre("\xC3\xA9", "0.5", "", "[]")));
  EXPECT_THAT(table.lines, ElementsAre(1, 3));
}

TEST(ParseTable, NamesTheLine_OfAWrongColumnCount) {
  EXPECT_EQ(error_of("a\tb\tc\n1\t2\t3\n1\t2\n", kTsv), "x:3: found 2 columns, expected 3 (a, b and c)");
  EXPECT_EQ(error_of("a\tb\n1\t2\n\n3\t4\n", kTsv), "x:3: found 1 column, expected 2 (a and b)");
  EXPECT_EQ(error_of("a,b\n\"1\n\",2\n1\n", kCsv), "x:4: found 1 column, expected 2 (a and b)");
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
}

TEST(ParseTable, NamesTheLine_OfMalformedJson) {
  EXPECT_THAT(error_of("{\"a\": 1}\n{\"a\": \n", kJsonl), StartsWith("x:2: found malformed JSON (parse error at line 1, column"));
  EXPECT_EQ(error_of("[1]\n", kJsonl), "x:1: found array, expected an object with columns");
  EXPECT_EQ(error_of(std::string(100000, '['), kJsonl), "x:1: found values nested deeper than 16, expected a flat object");
}

TEST(ParseTable, DropsColumns_BehindTheNamedOnes) {
  EXPECT_THAT(parse_table("a\tb\n1\t2\tx\ty\n3\t4\n", kTsv, "x").rows, ElementsAre(ElementsAre("1", "2"), ElementsAre("3", "4")));
  EXPECT_THAT(parse_table("a,b\n1,\"2\",\"x\ny\"\n3,4,\n", kCsv, "x").rows, ElementsAre(ElementsAre("1", "2"), ElementsAre("3", "4")));
  EXPECT_THAT(parse_table("a\tb\t\t\n1\t2\t3\t4\n", kTsv, "x").rows, ElementsAre(ElementsAre("1", "2", "3", "4"))) << "nameless ones";
  const auto bare = [](std::string_view text) { return data::parse_cells(text, kBare, "x", 2).table.rows; };
  EXPECT_THAT(bare("1\t2\t3\n4\t5\n"), ElementsAre(ElementsAre("1", "2"), ElementsAre("4", "5"))) << "the first row may be the longer one";
  EXPECT_EQ(failure([&] { bare("1\t2\t3\n4\n"); }), "x:2: found 1 column, expected 2 (1 and 2)");
}

TEST(ParseTable, TakesQuotesWithinAField_AsCharacters) {
  EXPECT_THAT(parse_table("a,b\n1,2\"3\n4\"\"5,\"6 \"\"7\"\"\"\n8\",9\"\n", kCsv, "x").rows,
              ElementsAre(ElementsAre("1", "2\"3"), ElementsAre("4\"\"5", "6 \"7\""), ElementsAre("8\"", "9\"")));
  EXPECT_THAT(parse_table("a,b\n \"1\",2\n", kCsv, "x").rows, ElementsAre(ElementsAre(" \"1\"", "2"))) << "a blank opens the field";
}

TEST(ParseTable, RefusesALoneCarriageReturn_OutsideQuotes) {
  const std::string refused =
      "found a carriage return (\\r) that no line feed follows, as in files of old Macs; expected LF or CRLF line ends";
  EXPECT_EQ(error_of("a\tb\r1\t2\r", kTsv), "x:1: " + refused);
  EXPECT_EQ(error_of("a,b\n\"1\r\n2\",\"x\ry\"\n3,4\r5,6\n", kCsv), "x:4: " + refused);
  EXPECT_EQ(error_of("{\"a\":1}\r{\"a\":2}\r", kJsonl), "x:1: " + refused);
  EXPECT_THAT(parse_table("a,b\r\n1,\"x\ry\"\r", kCsv, "x").rows, ElementsAre(ElementsAre("1", "x\ry")));
}

TEST(ParseTable, EscapesControlCharacters_OfMessages) {
  EXPECT_EQ(error_of("a\x1b[31m\ta\x1b[31m\n", kTsv), "x:1: found two columns named 'a\\x1b[31m', expected every column once");
  EXPECT_EQ(error_of("a\a,b\n1\n", kCsv), "x:2: found 1 column, expected 2 (a\\x07 and b)");
  EXPECT_THAT(error_of("{\"a\": \"\x1b[2J\"}\n", kJsonl), ::testing::Not(::testing::HasSubstr("\x1b")));
}

TEST(ParseTable, NamesUtf16) {
  for (const std::string& text : {std::string("\xFF\xFE"
                                              "a\0",
                                              4),
                                  std::string("\xFE\xFF\0a", 4), std::string("a\0\t\0b\0", 6), std::string("\0a\0\t", 4)})
    EXPECT_EQ(error_of(text, kTsv), "x:1: found UTF-16, expected UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)");
  EXPECT_THAT(parse_table(std::string("text\nb\0c\n", 9), kTsv, "x").rows, ElementsAre(ElementsAre(std::string("b\0c", 3))));
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
