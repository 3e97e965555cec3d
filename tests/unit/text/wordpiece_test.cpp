#include "tsrun/base/error.h"
#include "tsrun/base/random.h"
#include "tsrun/text/tokenizer.h"
#include "tsrun/text/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace tsrun {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> kVocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",      "fox",
                                              "##es",  "##e",   "run",   ".",     "\xE7\x8C\xAB"};

std::vector<int64_t> ids(std::string_view text) { return make_wordpiece(kVocabulary)->tokenize(text); }

TEST(WordPiece, SplitsWords_ByTheLongestPieces) {
  EXPECT_THAT(ids("Foxes run."), ElementsAre(5, 6, 8, 9));
  EXPECT_THAT(ids("foxe"), ElementsAre(5, 7));
  EXPECT_THAT(ids("foxer"), ElementsAre(1));
  EXPECT_THAT(ids("es"), ElementsAre(1));
}

TEST(WordPiece, CountsCharactersNotBytes_InLongWords) {
  WordPieceOptions options;
  options.max_characters_per_word = 3;
  options.split_cjk = false;
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "\xE7\x8C\xAB", "##\xE7\x8C\xAB"}, options);
  EXPECT_THAT(tokenizer->tokenize("\xE7\x8C\xAB\xE7\x8C\xAB\xE7\x8C\xAB"), ElementsAre(3, 4, 4));
  EXPECT_THAT(tokenizer->tokenize("\xE7\x8C\xAB\xE7\x8C\xAB\xE7\x8C\xAB\xE7\x8C\xAB"), ElementsAre(0));
}

TEST(WordPiece, IgnoresMalformedBytes) {
  EXPECT_THAT(ids("fox\xFF\xC3"
                  "es"),
              ElementsAre(5, 6));
  EXPECT_THAT(ids("\xED\xA0\x80"), IsEmpty());
  EXPECT_THAT(ids(std::string_view("\0\0", 2)), IsEmpty());
}

TEST(WordPiece, StaysInsideTheVocabulary_OnRandomBytes) {
  const auto tokenizer = make_wordpiece(kVocabulary);
  Stream stream(Key::root(1).split("bytes"));
  for (int round = 0; round < 2000; ++round) {
    std::string text(stream.below(40), ' ');
    for (char& byte : text) byte = static_cast<char>(stream.below(256));
    EXPECT_THAT(tokenizer->encode(text, text, 16).ids,
                Each(::testing::AllOf(::testing::Ge(0), ::testing::Lt(tokenizer->vocabulary_size()))));
  }
}

TEST(WordPiece, TellsTokensAndIds) {
  const auto tokenizer = make_wordpiece(kVocabulary);
  EXPECT_EQ(tokenizer->vocabulary_size(), 11);
  EXPECT_EQ(tokenizer->token(6), "##es");
  EXPECT_EQ(tokenizer->id("##es"), 6);
  EXPECT_EQ(tokenizer->id("es"), std::nullopt);
  EXPECT_EQ(tokenizer->mask_id(), 4);
  EXPECT_THROW(tokenizer->token(11), Error);
}

TEST(WordPiece, HasNoMask_WithoutTheToken) { EXPECT_EQ(make_wordpiece({"[UNK]", "[CLS]", "[SEP]"})->mask_id(), std::nullopt); }

TEST(WordPiece, RefusesAVocabulary_WithoutSpecialTokens) {
  try {
    make_wordpiece({"[UNK]", "[CLS]", "[SEQ]", "fox"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_STREQ(error.what(), "vocabulary: found no separator token '[SEP]' among 4 tokens, expected one (did you mean '[SEQ]'?)");
  }
}

TEST(WordPiece, GivesTheSameIds_OnManyThreads) {
  const auto tokenizer = make_wordpiece(kVocabulary);
  std::vector<std::vector<int64_t>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) result = tokenizer->tokenize("Foxe\xCC\x81s run \xE7\x8C\xAB.");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(results, Each(ElementsAre(5, 6, 8, 10, 9)));
}

}  // namespace
}  // namespace tsrun
