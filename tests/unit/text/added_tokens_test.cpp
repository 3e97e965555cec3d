#include "text/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun::text {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> split(const AddedTokens& tokens, std::string_view text) {
  std::vector<std::string> out;
  tokens.split(
      text, [&](std::string_view piece) { out.emplace_back(piece); }, [&](int32_t id) { out.push_back("<" + std::to_string(id) + ">"); });
  return out;
}

AddedToken token(std::string content, int32_t id) { return {std::move(content), id}; }

TEST(AddedTokens, CutsTheText_WhereATokenIsWritten) {
  const AddedTokens tokens({token("[SEP]", 2), token("[MASK]", 4)});
  EXPECT_THAT(split(tokens, "a [SEP]b[MASK]"), ElementsAre("a ", "<2>", "b", "<4>"));
  EXPECT_THAT(split(tokens, "[SEP][SEP]"), ElementsAre("<2>", "<2>"));
  EXPECT_THAT(split(tokens, "[SEP [sep]"), ElementsAre("[SEP [sep]"));
  EXPECT_THAT(split(tokens, ""), IsEmpty());
}

TEST(AddedTokens, PrefersTheLongest) {
  EXPECT_THAT(split(AddedTokens({token("ab", 1), token("abc", 2)}), "abcab"), ElementsAre("<2>", "<1>"));
}

TEST(AddedTokens, SwallowsWhiteSpace_WhereAsked) {
  AddedToken left = token("L", 1), right = token("R", 2);
  left.strip_left = right.strip_right = true;
  const AddedTokens tokens({left, right});
  EXPECT_THAT(split(tokens, "a \xC2\xA0L b R \n c"), ElementsAre("a", "<1>", " b ", "<2>", "c"));
  EXPECT_THAT(split(tokens, "R  L"), ElementsAre("<2>", "<1>"));
}

TEST(AddedTokens, FindsTokens_InWhiteSpaceThatAnotherSwallows) {
  AddedToken right = token("R", 2);
  right.strip_right = true;
  EXPECT_THAT(split(AddedTokens({right, token(" ", 3)}), "aR  b"), ElementsAre("a", "<2>", "<3>", "<3>", "b"));
  EXPECT_THAT(split(AddedTokens({right, token(" x", 4)}), "R x"), ElementsAre("<2>", "<4>"));
  AddedToken blank = token(" ", 5);
  blank.strip_left = blank.strip_right = true;
  EXPECT_THAT(split(AddedTokens({blank}), "a   b"), ElementsAre("a", "<5>", "b"));
}

TEST(AddedTokens, RefusesPartsOfWords_WhereAsked) {
  AddedToken word = token("ab", 1);
  word.single_word = true;
  EXPECT_THAT(split(AddedTokens({word}),
                    "ab xab ab1 (ab) \xC3\xA9"
                    "ab"),
              ElementsAre("<1>", " xab ab1 (", "<1>",
                          ") \xC3\xA9"
                          "ab"));
}

TEST(AddedTokens, SurvivesMalformedBytes) {
  AddedToken both = token("x", 1);
  both.strip_left = both.strip_right = both.single_word = true;
  EXPECT_THAT(split(AddedTokens({both}), "\xFFx\xE7\x8C"), ElementsAre("\xFF", "<1>", "\xE7\x8C"));
}

}  // namespace
}  // namespace tsrun::text
