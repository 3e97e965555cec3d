#include "tsrun/data/batch.h"
#include "unit/data/byte_level.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
constexpr int64_t kLast = no_target;

Task texts(std::vector<std::string> documents) {
  Task task;
  task.name = "t";
  task.kind = TaskKind::language_modelling;
  task.splits["train"].name = "train";
  for (const std::string& document : documents) task.splits["train"].examples.emplace_back().first = document;
  return task;
}

EncodedSplit blocks(const Task& task, const Tokenizer& tokenizer, ModelKind model_kind, int64_t length, Blocks how = Blocks::separate) {
  EncodeOptions options{length, model_kind};
  options.blocks = how;
  return encode_split(task, task.split("train"), tokenizer, options);
}

int64_t total_bytes(const EncodedSplit& split) { return std::accumulate(split.bytes.begin(), split.bytes.end(), int64_t{0}); }

TEST(EncodeCausalDocuments, GuessOverTheEdgeOfBlocks) {
  const EncodedSplit encoded = blocks(texts({"abcde"}), *tiny_byte_level(), ModelKind::causal, 2);
  ASSERT_EQ(encoded.size(), 3);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 2));
  EXPECT_THAT(encoded.token_targets[0], ElementsAre(2, 3));
  EXPECT_THAT(encoded.rows[2].ids, ElementsAre(5, 7));
  EXPECT_THAT(encoded.token_targets[2], ElementsAre(7, kLast));
  EXPECT_THAT(encoded.examples, ElementsAre(0, 0, 0));
  EXPECT_EQ(total_bytes(encoded), 5);
}

TEST(EncodeCausalDocuments, LeaveOutABlock_OfTheLastTokenAlone) {
  const EncodedSplit encoded = blocks(texts({"abcd"}), *tiny_byte_level(), ModelKind::causal, 2);
  ASSERT_EQ(encoded.size(), 2);
  EXPECT_THAT(encoded.token_targets[1], ElementsAre(4, 7));
  EXPECT_EQ(total_bytes(encoded), 4);
}

TEST(EncodeCausalDocuments, TellWhichRowsContinueTheRowBefore_WhenAsked) {
  const Task task = texts({"abcde", "ab", "abc"});
  EncodeOptions options{2, ModelKind::causal};
  EXPECT_TRUE(encode_split(task, task.split("train"), *tiny_byte_level(), options).continues.empty());
  options.continued = true;
  EXPECT_THAT(encode_split(task, task.split("train"), *tiny_byte_level(), options).continues,
              ElementsAre(false, true, true, false, false, true));
  options.blocks = Blocks::joined;
  EXPECT_THAT(encode_split(task, task.split("train"), *tiny_byte_level(), options).continues,
              ElementsAre(false, true, true, true, true, true));
}

TEST(EncodeCausalDocuments, GiveNoRow_OfASingleToken) {
  const EncodedSplit encoded = blocks(texts({"a", "ab"}), *tiny_byte_level(false), ModelKind::causal, 8);
  ASSERT_EQ(encoded.size(), 1);
  EXPECT_THAT(encoded.token_targets[0], ElementsAre(2, kLast));
  EXPECT_THAT(encoded.examples, ElementsAre(1));
}

TEST(EncodeCausalDocuments, FillBlocks_WhenJoined) {
  const EncodedSplit encoded = blocks(texts({"ab", "cde"}), *tiny_byte_level(), ModelKind::causal, 4, Blocks::joined);
  ASSERT_EQ(encoded.size(), 2);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 2, 7, 3));
  EXPECT_THAT(encoded.token_targets[0], ElementsAre(2, 7, 3, 4));
  EXPECT_THAT(encoded.rows[1].ids, ElementsAre(4, 5, 7));
  EXPECT_THAT(encoded.examples, ElementsAre(0, 1));
  EXPECT_EQ(total_bytes(encoded), 5);
}

TEST(EncodeCausalDocuments, KeepWhatTheTokenizerEncloses) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a"});
  const EncodedSplit encoded = blocks(texts({"a"}), *tokenizer, ModelKind::causal, 8);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 3, 2));
}

TEST(EncodeDocuments, CountEveryByteOnce) {
  const std::vector<std::string> documents = {"a b c d e", "\u00E9\u00E9 abc", "aaaaaaaaaaaaaaaaaaaaaaaaa", "e.", "d d d d d d d"};
  int64_t bytes = 0;
  for (const std::string& document : documents) bytes += static_cast<int64_t>(document.size());
  for (const Blocks how : {Blocks::separate, Blocks::joined}) {
    for (const int64_t length : {1, 2, 3, 5, 7, 64}) {
      EXPECT_EQ(total_bytes(blocks(texts(documents), *tiny_byte_level(), ModelKind::causal, length, how)), bytes) << length;
      EXPECT_EQ(total_bytes(blocks(texts(documents), *tiny_byte_level(), ModelKind::encoder, length, how)), bytes) << length;
    }
  }
}

TEST(EncodeMaskedDocuments, EncloseEveryBlock) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a", "b"});
  const EncodedSplit encoded = blocks(texts({"a b a", "b"}), *tokenizer, ModelKind::encoder, 4);
  ASSERT_EQ(encoded.size(), 3);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 3, 4, 2));
  EXPECT_THAT(encoded.rows[1].ids, ElementsAre(1, 3, 2));
  EXPECT_THAT(encoded.rows[2].ids, ElementsAre(1, 4, 2));
  EXPECT_TRUE(encoded.token_targets.empty());
  EXPECT_THAT(encoded.bytes, ElementsAre(3, 2, 1));
}

TEST(EncodeMaskedDocuments, StandASeparatorApart_WhenJoined) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a", "b"});
  const EncodedSplit encoded = blocks(texts({"a", "b"}), *tokenizer, ModelKind::encoder, 8, Blocks::joined);
  ASSERT_EQ(encoded.size(), 1);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 3, 2, 4, 2));
}

TEST(EncodeDocuments, RefuseBlocksWithoutRoom) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a"});
  EXPECT_EQ(failure([&] { blocks(texts({"a"}), *tokenizer, ModelKind::encoder, 2); }, ErrorKind::user),
            "max_length is 2, expected at least 3 (a token and the special tokens of a block)");
  EXPECT_THAT(failure([&] { blocks(texts({"a"}), *tokenizer, ModelKind::causal, 0); }, ErrorKind::user), HasSubstr("expected at least 1"));
}

}  // namespace
}  // namespace tsrun
