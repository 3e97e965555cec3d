#include "text/charsmap.h"
#include "text/graphemes.h"
#include "text/split_step.h"
#include "text/word_split.h"
#include "tsrun/base/error.h"
#include "tsrun/text/unicode_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;
using Parts = std::vector<std::string>;

Parts words(WordPattern pattern, std::string_view text) {
  Parts parts;
  for (size_t at = 0, end = 0; at < text.size(); at = end) {
    end = word_end(pattern, text, at);
    parts.emplace_back(text.substr(at, end - at));
  }
  return parts;
}

Parts matches(const Pattern& pattern, std::string_view text) {
  std::vector<Match> found;
  pattern.find_all(text, found);
  Parts parts;
  for (const Match& match : found) parts.emplace_back(text.substr(match.begin, match.end - match.begin));
  return parts;
}

std::string refusal(const std::string& expression) {
  try {
    pattern_of({{"Regex", expression}}, "t.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

Parts cut(std::string_view text, SplitBehavior behavior, bool invert = false) {
  std::vector<Match> found;
  pattern_of({{"String", "-"}}, "")->find_all(text, found);
  std::vector<Piece> out;
  cut_piece({text, true}, found, behavior, invert, out);
  Parts parts;
  for (const Piece& piece : out) parts.emplace_back(piece.text);
  return parts;
}

TEST(WordSplit, CutsAsGpt2) {
  EXPECT_THAT(words(WordPattern::gpt2, "I'll  go 12\n\n x's?!"), ElementsAre("I", "'ll", " ", " go", " 12", "\n\n", " x", "'s", "?!"));
  EXPECT_THAT(words(WordPattern::gpt2, "I'LL"), ElementsAre("I", "'", "LL"));
  EXPECT_THAT(words(WordPattern::gpt2, "a \u00a0 "), ElementsAre("a", " \u00a0 "));
}

TEST(WordSplit, CutsAsQwen2AndLlama3) {
  EXPECT_THAT(words(WordPattern::qwen2, "I'LL (go) 123.\n\nx"), ElementsAre("I", "'LL", " (", "go", ")", " ", "1", "2", "3", ".\n\n", "x"));
  EXPECT_THAT(words(WordPattern::llama3, " 1234\n  \n y\tz"), ElementsAre(" ", "123", "4", "\n  \n", " y", "\tz"));
  EXPECT_THAT(words(WordPattern::llama3, "it'\u017f"), ElementsAre("it", "'\u017f"));
}

TEST(WordSplit, MeansWhatItsExpressionMeans) {
  for (const WordPattern pattern : {WordPattern::gpt2, WordPattern::qwen2, WordPattern::llama3}) {
    const auto by_icu = pattern_of({{"Regex", std::string(expression_of(pattern)) + "|\\x{10FFFF}"}}, "");
    for (const std::string text :
         {"I'll  go 12345\n\n x's?! \t\r\n  '", "\u65e5\u672c \u00bd\u0301e\u0301 \U0001f642\U0001f642 \u3000", "a'B 'T 're\n"})
      EXPECT_EQ(words(pattern, text), matches(*by_icu, text)) << text;
  }
}

TEST(Pattern, FindsExpressions) {
  EXPECT_THAT(matches(*pattern_of({{"Regex", "\\s+|[^\\s.]+"}}, ""), "ab \U0001f642\u0085c."),
              ElementsAre("ab", " ", "\U0001f642", "\u0085", "c"));
  EXPECT_THAT(matches(*pattern_of({{"Regex", "(?i:ab)(?!c)|\\p{N}{1,3}"}}, ""), "ABc aB 1234"), ElementsAre("aB", "123", "4"));
}

TEST(Pattern, RefusesExpressions_ThatLibrariesReadDifferently) {
  EXPECT_EQ(refusal("a\\b"), "t.json: pattern 'a\\b' has '\\b', expected only constructs that every library reads alike");
  for (const char* expression : {"^a", "a$", "a.b", "\\w+", "[a--b]", "[a&&b]", "[[:alpha:]]", "a{2}+", "(?m)a", "(a)\\1", "[]a]"})
    EXPECT_THAT(refusal(expression), HasSubstr("expected only constructs")) << expression;
  for (const char* expression : {"(a", "[a", "a{2", "*"}) EXPECT_THAT(refusal(expression), HasSubstr("is malformed")) << expression;
}

TEST(SplitStep, KeepsMatches_AsAsked) {
  EXPECT_THAT(cut("a--b-", SplitBehavior::removed), ElementsAre("a", "b"));
  EXPECT_THAT(cut("a--b-", SplitBehavior::isolated), ElementsAre("a", "-", "-", "b", "-"));
  EXPECT_THAT(cut("-a--b", SplitBehavior::merged_with_previous), ElementsAre("-", "a-", "-", "b"));
  EXPECT_THAT(cut("a--b-", SplitBehavior::merged_with_next), ElementsAre("a", "-", "-b", "-"));
  EXPECT_THAT(cut("a--b-", SplitBehavior::contiguous), ElementsAre("a", "--", "b", "-"));
  EXPECT_THAT(cut("a--b-", SplitBehavior::removed, true), ElementsAre("-", "-", "-"));
}

TEST(Graphemes, EndWhereReadersSeeThem) {
  const auto parts = [](std::string_view text) {
    Parts out;
    for (size_t at = 0, end = 0; at < text.size(); at = end) {
      end = grapheme_end(text, at);
      out.emplace_back(text.substr(at, end - at));
    }
    return out;
  };
  EXPECT_THAT(parts("e\u0301\u0327x\r\n\n"), ElementsAre("e\u0301\u0327", "x", "\r\n", "\n"));
  EXPECT_THAT(parts("\U0001f469\u200d\U0001f467a\u200d\U0001f467"), ElementsAre("\U0001f469\u200d\U0001f467", "a\u200d", "\U0001f467"));
  EXPECT_THAT(parts("\U0001f1e9\U0001f1ea\U0001f1eb"), ElementsAre("\U0001f1e9\U0001f1ea", "\U0001f1eb"));
  EXPECT_THAT(parts("\u1100\u1161\u11a8\u0600a"), ElementsAre("\u1100\u1161\u11a8", "\u0600a"));
}

TEST(Charsmap, RefusesSizesThatDoNotFit) {
  EXPECT_THROW(Charsmap("", "x"), Error);
  EXPECT_THROW(Charsmap("\x04\0\0", "x"), Error);
  EXPECT_THROW(Charsmap(std::string_view("\x08\0\0\0abcd", 8), "x"), Error);
  EXPECT_EQ(Charsmap(std::string_view("\x04\0\0\0\0\0\0\0", 8), "x")("e\u0301\xff"), "e\u0301\xff");
}

TEST(UnicodeSteps, FoldText) {
  EXPECT_EQ(to_form(NormalForm::nfc, "e\u0301"), "\u00e9");
  EXPECT_EQ(to_form(NormalForm::nfkd, "\ufb01\u00e9"), "fie\u0301");
  EXPECT_EQ(to_lower("\u0130\u00c9x"), "i\u0307\u00e9x");
  EXPECT_EQ(without_accents("e\u0301x\u20dd"), "ex");
  EXPECT_EQ(without_space(" \u3000a \n", true, true), "a");
  EXPECT_EQ(without_space("\u3000", false, true), "");
}

}  // namespace
}  // namespace tsrun::text
