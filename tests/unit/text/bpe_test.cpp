#include "text/bpe.h"

#include "text/unigram.h"
#include "tsrun/base/error.h"
#include "tsrun/base/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace tsrun::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<int64_t> ids(const SubwordModel& model, std::string_view piece) {
  std::vector<int64_t> out;
  model.encode(piece, out);
  return out;
}

BpeParts letters() {
  BpeParts parts;
  parts.vocabulary = {"?", "a", "b", "c", "ab", "bc", "abc", "<0xC3>", "<0xA9>"};
  parts.merges = {{"b", "c"}, {"a", "b"}, {"a", "bc"}};
  return parts;
}

std::string failure(BpeParts parts) {
  try {
    Bpe(std::move(parts), "tokenizer.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
  return "no error";
}

TEST(Bpe, JoinsTheMostUrgentNeighboursFirst) {
  const Bpe model(letters(), "");
  EXPECT_THAT(ids(model, "abc"), ElementsAre(6));
  EXPECT_THAT(ids(model, "abab"), ElementsAre(4, 4));
  EXPECT_THAT(ids(model, "aabcb"), ElementsAre(1, 6, 2));
}

TEST(Bpe, LeavesOutCharacters_ThatNothingStandsFor) { EXPECT_THAT(ids(Bpe(letters(), ""), "xay"), ElementsAre(1)); }

TEST(Bpe, FusesUnknownCharacters_WhereAsked) {
  BpeParts parts = letters();
  parts.unknown = "?";
  EXPECT_THAT(ids(Bpe(parts, ""), "xyaz"), ElementsAre(0, 0, 1, 0));
  parts.fuse_unknown = true;
  EXPECT_THAT(ids(Bpe(parts, ""), "xyaz"), ElementsAre(0, 1, 0));
}

TEST(Bpe, SpellsUnknownCharactersInBytes_WhereItHasThem) {
  BpeParts parts = letters();
  parts.unknown = "?";
  parts.byte_fallback = true;
  EXPECT_THAT(ids(Bpe(parts, ""), "a\u00e9\u00e8"), ElementsAre(1, 7, 8, 0));
}

TEST(Bpe, KeepsWholeTokens_WhereMergesAreIgnored) {
  BpeParts parts = letters();
  parts.merges = {};
  EXPECT_THAT(ids(Bpe(parts, ""), "abc"), ElementsAre(1, 2, 3));
  parts.ignore_merges = true;
  EXPECT_THAT(ids(Bpe(parts, ""), "abc"), ElementsAre(6));
}

TEST(Bpe, GivesTheSame_WithAndWithoutCutsAtBlanks) {
  BpeParts cut;
  cut.vocabulary = {"\u2581", "a", "b", "\u2581a", "ab", "\u2581\u2581", "?", "a\u2581"};
  cut.merges = {{"\u2581", "a"}, {"a", "b"}, {"\u2581", "\u2581"}};
  cut.unknown = "?";
  cut.fuse_unknown = true;
  BpeParts whole = cut;
  whole.merges.push_back({"a", "\u2581"});  // forbids the cuts, and comes last: nothing is left for it below
  const Bpe first(cut, ""), second(whole, "");
  for (const std::string text : {"\u2581ab\u2581ab", "\u2581\u2581\u2581ab", "xx\u2581xx", "ab\u2581", "\u2581"}) {
    EXPECT_EQ(ids(first, text), ids(second, text)) << text;
  }
}

TEST(Bpe, RefusesWhatIsNotInTheVocabulary) {
  BpeParts parts = letters();
  parts.merges.push_back({"c", "d"});
  EXPECT_EQ(failure(parts), "tokenizer.json: merge 4 joins 'c' and 'd', but 'd' is not in the vocabulary");
  parts.merges.back() = {"c", "a"};
  EXPECT_EQ(failure(parts), "tokenizer.json: merge 4 joins 'c' and 'a', but 'ca' is not in the vocabulary");
  parts = letters();
  parts.unknown = "!";
  EXPECT_THAT(failure(parts), HasSubstr("model.unk_token is '!', expected a token of the vocabulary"));
}

TEST(MergeSymbols, GivesTheSame_ForShortAndLongRows) {
  PairTable merges(64);
  Stream stream(Key::root(1).split("merges"));
  for (int32_t rank = 0; rank < 40; ++rank) {
    const auto left = static_cast<int32_t>(stream.below(12)), right = static_cast<int32_t>(stream.below(12));
    merges.insert(left, right, {rank, static_cast<int32_t>(stream.below(12))});
  }
  for (int round = 0; round < 200; ++round) {
    std::vector<int32_t> part(40), padded;
    for (int32_t& symbol : part) symbol = static_cast<int32_t>(stream.below(12));
    padded = part;
    padded.insert(padded.end(), 20, 99);  // symbols that nothing joins
    merge_symbols(merges, part);
    merge_symbols(merges, padded);
    padded.resize(padded.size() - 20);
    EXPECT_EQ(padded, part);
  }
}

TEST(Unigram, TakesTheBestSegmentation) {
  const Unigram model({{"<unk>", "a", "b", "ab", "\u00e9x"}, {0, -1, -1, -2.5, -1}, 0, false}, "");
  EXPECT_THAT(ids(model, "ab"), ElementsAre(1, 2));
  EXPECT_THAT(ids(model, "a\u00e9x"), ElementsAre(1, 4));
  EXPECT_THAT(ids(model, "\u00e9\u00e8yb"), ElementsAre(0, 2));
}

TEST(Unigram, SpellsUnknownCharactersInBytes_WhereItHasThem) {
  const Unigram model({{"<unk>", "a", "<0xC3>", "<0xA9>"}, {0, -1, -1, -1}, 0, true}, "");
  EXPECT_THAT(ids(model, "a\u00e9"), ElementsAre(1, 2, 3));
  EXPECT_THAT(ids(model, "\u00e8"), ElementsAre(0));
}

TEST(Unigram, RefusesAnUnknownTokenThatIsNone) {
  EXPECT_THROW(Unigram({{"a"}, {0}, 1, false}, "x"), Error);
  EXPECT_THROW(Unigram({{"a"}, {std::nan("")}, 0, false}, "x"), Error);
}

/// Twice the text takes about twice the time: a quadratic search over a megabyte would take minutes.
void expect_prompt(const SubwordModel& model, std::string_view part) {
  std::string text;
  while (text.size() < (1 << 20)) text += part;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_GT(ids(model, text).size(), 1000u);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 20.0);
}

TEST(SubwordModels, TakeAMegabyteWithoutABlank) {
  expect_prompt(Bpe(letters(), ""), "abcab");
  expect_prompt(Bpe(letters(), ""), "a");
  expect_prompt(Unigram({{"<unk>", "a", "b", "ab", "abcab"}, {0, -1, -1, -2.5, -1}, 0, false}, ""), "abcab");
  expect_prompt(Unigram({{"<unk>", "a"}, {0, -1}, 0, false}, ""), "ax");
}

}  // namespace
}  // namespace tsrun::text
