#include "tsrun/data/batch.h"
#include "unit/data/byte_level.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
constexpr int64_t kUntagged = no_target;

Task tagged(std::vector<std::string> words, std::vector<int64_t> tags) {
  Task task;
  task.name = "t";
  task.kind = TaskKind::token_classification;
  task.labels = {"O", "B-X", "I-X"};
  Example example;
  example.words = std::move(words);
  example.tags = std::move(tags);
  task.splits["train"] = {"train", {example, example}, 0, ""};
  return task;
}

EncodedSplit tagged_rows(const Task& task, const Tokenizer& tokenizer, ModelKind model_kind, int64_t max_length = 32) {
  EncodeOptions options{max_length, model_kind};
  return encode_split(task, task.split("train"), tokenizer, options);
}

TEST(EncodeWords, PutsATag_AtTheFirstTokenOfItsWord) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a", "##b"});
  const EncodedSplit encoded = tagged_rows(tagged({"ab", "a"}, {1, 0}), *tokenizer, ModelKind::encoder);
  EXPECT_THAT(encoded.rows[1].ids, ElementsAre(1, 3, 4, 3, 2));
  EXPECT_THAT(encoded.token_targets[1], ElementsAre(kUntagged, 1, kUntagged, 0, kUntagged));
  EXPECT_THAT(encoded.examples, ElementsAre(0, 1));
  EXPECT_THAT(encoded.targets, ElementsAre(0, 0));
}

TEST(EncodeWords, SpellsTheBlanks_OfByteLevelTokens) {
  const EncodedSplit encoded = tagged_rows(tagged({"a", "b", "."}, {1, 2, 0}), *tiny_byte_level(), ModelKind::causal);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 0, 2, 0, 6));
  EXPECT_THAT(encoded.token_targets[0], ElementsAre(1, 2, kUntagged, 0, kUntagged));
}

TEST(EncodeWords, CutsRows_WithTheirTags) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a", "##b"});
  const EncodedSplit encoded = tagged_rows(tagged({"ab", "a"}, {1, 0}), *tokenizer, ModelKind::encoder, 3);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 3, 2));
  EXPECT_THAT(encoded.token_targets[0], ElementsAre(kUntagged, 1, kUntagged));
  EXPECT_EQ(failure([&] { tagged_rows(tagged({"a"}, {0}), *tokenizer, ModelKind::encoder, 2); }, ErrorKind::user),
            "max_length is 2, expected at least 3 (the special tokens of a row and a word)");
}

TEST(EncodeWords, JudgesWordsWithoutTokens_AsUnknown) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a"});
  const EncodedSplit encoded = tagged_rows(tagged({"a", "\x01", "a"}, {0, 1, 2}), *tokenizer, ModelKind::encoder);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 3, 0, 3, 2));
  EXPECT_THAT(encoded.token_targets[0], ElementsAre(kUntagged, 0, 1, 2, kUntagged));
}

}  // namespace
}  // namespace tsrun
