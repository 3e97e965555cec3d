#include "tsrun/text/train_tokenizer.h"

#include "golden_rows.h"
#include "text/pair_merger.h"
#include "tsrun/base/error.h"
#include "tsrun/checkpoint/folder.h"

#include <gmock/gmock.h>

namespace tsrun::text {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TokenizerTraining for_words() { return {.special = {{SpecialToken::end, "<eos>"}, {SpecialToken::unknown, "<unk>"}}}; }

std::vector<std::string> tokens_of(const Tokenizer& tokenizer) {
  std::vector<std::string> tokens;
  for (int64_t id = 0; id < tokenizer.vocabulary_size(); ++id) tokens.push_back(tokenizer.token(id));
  return tokens;
}

template <class Train>
Error failure_of(Train train, const std::vector<std::string>& texts, const TokenizerTraining& training) {
  try {
    train(texts, training);
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorKind::internal, "accepted");
}

const std::vector<std::string> kTexts = {"the dog saw the cat", "the cat\tsaw  a <unk> dog\nthe end"};

TEST(TrainedWords, HaveIdsByFrequency_ThenByTheirBytes_BehindSpecialTokens) {
  const auto tokenizer = train_words(kTexts, for_words());
  EXPECT_THAT(tokens_of(*tokenizer), ElementsAre("<unk>", "<eos>", "the", "cat", "dog", "saw", "a", "end"));
  EXPECT_THAT(tokenizer->tokenize("a  dog saw\nsomething <eos>"), ElementsAre(6, 4, 5, 0, 1));
  EXPECT_EQ(tokenizer->special_id(SpecialToken::end), 1);
  EXPECT_EQ(tokenizer->special_id(SpecialToken::begin), std::nullopt);
}

TEST(TrainedWords, KeepTheMostFrequent_OfALimitedVocabulary) {
  TokenizerTraining training = for_words();
  training.vocabulary_size = 4;
  EXPECT_THAT(tokens_of(*train_words(kTexts, training)), ElementsAre("<unk>", "<eos>", "the", "cat"));
  training.vocabulary_size = 0;
  training.min_frequency = 2;
  EXPECT_THAT(tokens_of(*train_words(kTexts, training)), ElementsAre("<unk>", "<eos>", "the", "cat", "dog", "saw"));
}

TEST(TrainedWords, ReadALinesEndAsTheEndToken_WhereAsked) {
  TokenizerTraining training = for_words();
  training.line_ends = true;
  EXPECT_THAT(train_words(kTexts, training)->tokenize("the dog\nsaw"), ElementsAre(2, 4, 1, 5));
}

TEST(TrainedWords, EndOrEncloseRows_WhereAsked) {
  TokenizerTraining training = for_words();
  training.end_rows = true;
  EXPECT_THAT(train_words(kTexts, training)->encode("the dog").ids, ElementsAre(2, 4, 1));
  training.special[SpecialToken::classifier] = "[C]";
  training.special[SpecialToken::separator] = "[S]";
  const auto enclosing = train_words(kTexts, training);
  EXPECT_THAT(enclosing->encode("the").ids,
              ElementsAre(enclosing->id("[C]").value(), enclosing->id("the").value(), enclosing->id("[S]").value()));
}

TEST(TrainedWords, AreTheSame_ReadFromTheirFolder) {
  const testing::TemporaryFolder folder;
  TokenizerTraining training = for_words();
  training.line_ends = true;
  const auto tokenizer = train_words(kTexts, training);
  tokenizer->save(folder.path());
  const auto loaded = load_tokenizer(folder.path());
  EXPECT_EQ(tokens_of(*loaded), tokens_of(*tokenizer));
  EXPECT_EQ(loaded->tokenize(kTexts[1]), tokenizer->tokenize(kTexts[1]));
  EXPECT_EQ(facts_of(*loaded).special, facts_of(*tokenizer).special);
}

TEST(TrainedWords, RefuseTextsWithoutWords_AndOptionsThatContradictEachOther) {
  const Error empty = failure_of(train_words, {"", " \n "}, for_words());
  EXPECT_EQ(empty.kind(), ErrorKind::data);
  EXPECT_THAT(empty.what(), HasSubstr("found only white space in 2 texts"));
  TokenizerTraining training = for_words();
  training.vocabulary_size = 2;
  EXPECT_THAT(failure_of(train_words, kTexts, training).what(), HasSubstr("vocabulary_size is 2, expected more than the 2 special tokens"));
  training = {.special = {{SpecialToken::unknown, "<unk>"}}, .line_ends = true};
  EXPECT_THAT(failure_of(train_words, kTexts, training).what(), HasSubstr("expected an eos_token"));
  training.special = {};
  EXPECT_THAT(failure_of(train_words, kTexts, training).what(), HasSubstr("needs an unk_token"));
}

/// aab aab ab: "ab" occurs 3 times, then "aab" twice; no pair is left.
TEST(PairMerger, JoinsTheMostFrequentPair_UntilNoneIsFrequentEnough) {
  PairMerger merger({"a", "b"});
  merger.add_word({0, 0, 1}, 2);
  merger.add_word({0, 1}, 1);
  merger.merge(10, 2);
  EXPECT_THAT(merger.merges(), ElementsAre(Pair("a", "b"), Pair("a", "ab")));
  EXPECT_THAT(merger.tokens(), ElementsAre("a", "b", "ab", "aab"));
}

TEST(PairMerger, TakesTheSmallestIds_OfEquallyFrequentPairs) {
  PairMerger merger({"a", "b", "c"});
  merger.add_word({2, 0}, 5);
  merger.add_word({1, 2}, 5);
  merger.add_word({0, 0, 0}, 2);
  merger.merge(4, 1);
  EXPECT_THAT(merger.merges(), ElementsAre(Pair("b", "c")));
}

TEST(PairMerger, StopsAtTheVocabularyAskedFor) {
  PairMerger merger({"a", "b"});
  merger.add_word({0, 1, 0, 1}, 1);
  merger.merge(3, 1);
  EXPECT_THAT(merger.tokens(), ElementsAre("a", "b", "ab"));
}

class TrainedBytesOf : public ::testing::TestWithParam<std::string> {};

/// tests/goldens/trained_bpe.json: merges of Hugging Face's BpeTrainer over each text, and ids of a sample.
TEST_P(TrainedBytesOf, HaveTheMergesAndIdsOfHuggingFace) {
  const json golden = read_json(std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/trained_bpe.json").at(GetParam());
  TokenizerTraining training{.vocabulary_size = golden.at("vocabulary_size"),
                             .min_frequency = golden.at("min_frequency"),
                             .special = {{SpecialToken::end, "<|endoftext|>"}}};
  const auto tokenizer = train_byte_bpe(golden.at("texts").get<std::vector<std::string>>(), training);
  const testing::TemporaryFolder folder;
  tokenizer->save(folder.path());
  const json model = read_json(folder.path() / "tokenizer.json").at("model");
  EXPECT_EQ(model.at("merges"), golden.at("merges"));
  EXPECT_EQ(model.at("vocab"), golden.at("vocab"));
  for (const json& row : golden.at("rows"))
    EXPECT_EQ(json(tokenizer->tokenize(row.at("text").get<std::string>())), row.at("ids")) << row.at("text");
}

INSTANTIATE_TEST_SUITE_P(Texts, TrainedBytesOf, ::testing::Values("few", "ties", "frequent", "scripts"),
                         [](const auto& info) { return info.param; });

TEST(TrainedBytes, SpellWhatTheyNeverSaw) {
  const TokenizerTraining training{.vocabulary_size = 300, .special = {{SpecialToken::end, "<|endoftext|>"}}};
  const auto tokenizer = train_byte_bpe(kTexts, training);
  const std::string text = "Größe: 7 кошек\n\n";
  EXPECT_EQ(tokenizer->decode(tokenizer->tokenize(text), false), text);
}

TEST(TrainedBytes, DoNotDependOnTheOrderOfTheTexts) {
  const TokenizerTraining training{.vocabulary_size = 275, .special = {{SpecialToken::end, "<|endoftext|>"}}};
  EXPECT_EQ(tokens_of(*train_byte_bpe(kTexts, training)), tokens_of(*train_byte_bpe(std::vector{kTexts[1], kTexts[0]}, training)));
}

TEST(TrainedBytes, RefuseAVocabularyWithoutRoomForTheBytes_AndEmptyTexts) {
  TokenizerTraining training{.vocabulary_size = 256, .special = {{SpecialToken::end, "<|endoftext|>"}}};
  EXPECT_THAT(failure_of(train_byte_bpe, kTexts, training).what(), HasSubstr("vocabulary_size is 256, expected at least 257"));
  training.vocabulary_size = 300;
  EXPECT_EQ(failure_of(train_byte_bpe, {""}, training).kind(), ErrorKind::data);
}

}  // namespace
}  // namespace tsrun::text
