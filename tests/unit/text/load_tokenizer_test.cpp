#include "tsrun/base/error.h"
#include "tsrun/text/tokenizer.h"

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr const char* kVocabularyFile = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nFox\nfox\ncafe\ncaf\xC3\xA9\n";

/// A folder of the running test alone.
class LoadTokenizer : public ::testing::Test {
 protected:
  LoadTokenizer() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) / ("tsrun_" + std::string(test->name()) + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~LoadTokenizer() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name, std::ios::binary) << text; }

  std::string failure() {
    try {
      load_tokenizer(folder_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
    return "no error";
  }

  static Json tokenizer_json() {
    return {{"truncation", {{"max_length", 2}}},
            {"padding", {{"strategy", {{"Fixed", 128}}}}},
            {"added_tokens", {{{"id", 6}, {"content", "<x>"}, {"special", true}, {"lstrip", true}}}},
            {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", false}, {"strip_accents", true}}},
            {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
            {"post_processor", {{"type", "BertProcessing"}, {"cls", {"[CLS]", 1}}, {"sep", {"[SEP]", 2}}}},
            {"model",
             {{"type", "WordPiece"},
              {"unk_token", "[UNK]"},
              {"vocab", {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"Fox", 3}, {"fox", 4}, {"cafe", 5}}}}}};
  }

  std::filesystem::path folder_;
};

TEST_F(LoadTokenizer, LowersCase_WhenOnlyAVocabularyIsThere) {
  write("vocab.txt", kVocabularyFile);
  EXPECT_THAT(load_tokenizer(folder_)->encode("Fox Caf\xC3\xA9").ids, ElementsAre(2, 6, 7, 3));
}

TEST_F(LoadTokenizer, ListsEveryFileThatDecidesIds) {
  for (const char* name : {"merges.txt", "vocab.json", "added_tokens.json", "generation_config.json", "README.md", "model.safetensors"})
    write(name, "{}");
  EXPECT_THAT(tokenizer_files(folder_), ElementsAre(folder_ / "vocab.json", folder_ / "merges.txt", folder_ / "added_tokens.json",
                                                    folder_ / "generation_config.json"));
  EXPECT_TRUE(tokenizer_files(folder_ / "missing").empty());
}

TEST_F(LoadTokenizer, ReadsWindowsLineEnds) {
  write("vocab.txt", "[UNK]\r\n[CLS]\r\n[SEP]\r\nfox\r\n");
  EXPECT_THAT(load_tokenizer(folder_)->encode("fox").ids, ElementsAre(1, 3, 2));
}

TEST_F(LoadTokenizer, FollowsTheConfig_OfAVocabulary) {
  write("vocab.txt", kVocabularyFile);
  write("tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": null, "cls_token": {"content": "[SEP]"}})");
  EXPECT_THAT(load_tokenizer(folder_)->encode("Fox caf\xC3\xA9").ids, ElementsAre(3, 5, 8, 3));
}

TEST_F(LoadTokenizer, TakesANewSpecialToken_FromTheConfig) {
  write("vocab.txt", kVocabularyFile);
  write("tokenizer_config.json", R"({"added_tokens_decoder": {"9": {"content": "<E1>", "special": true}}})");
  const auto tokenizer = load_tokenizer(folder_);
  EXPECT_THAT(tokenizer->encode("fox<E1>").ids, ElementsAre(2, 6, 9, 3));
  EXPECT_EQ(tokenizer->vocabulary_size(), 10);
  EXPECT_EQ(tokenizer->token(9), "<E1>");
}

TEST_F(LoadTokenizer, FollowsTokenizerJson_ButNotItsTruncation) {
  write("tokenizer.json", tokenizer_json().dump());
  EXPECT_THAT(load_tokenizer(folder_)->encode("Fox caf\xC3\xA9  <x>fox").ids, ElementsAre(1, 3, 5, 6, 4, 2));
}

TEST_F(LoadTokenizer, SavesWhatItLoads) {
  write("tokenizer.json", tokenizer_json().dump());
  const auto before = load_tokenizer(folder_);
  before->save(folder_ / "copy");
  const auto after = load_tokenizer(folder_ / "copy");
  const std::string text = "Fox CAF\xC3\xA9 <x> [SEP] zebra fox";
  EXPECT_EQ(after->encode(text, text, 9).ids, before->encode(text, text, 9).ids);
  EXPECT_EQ(after->encode(text).segments, before->encode(text).segments);
}

TEST_F(LoadTokenizer, NamesTheFolder_WithoutATokenizer) {
  EXPECT_EQ(failure(),
            folder_.string() +
                ": found no tokenizer, expected tokenizer.json, vocab.txt, vocab.json and merges.txt, spiece.model or tokenizer.model");
}

TEST_F(LoadTokenizer, NamesTheLine_OfAMalformedVocabulary) {
  write("vocab.txt", "[UNK]\n[CLS]\nfo\xFFx\n");
  EXPECT_EQ(failure(), (folder_ / "vocab.txt").string() + ":3: found byte 0xff at column 3, expected UTF-8");
}

TEST_F(LoadTokenizer, RefusesAnEmptyVocabulary) {
  write("vocab.txt", "");
  EXPECT_EQ(failure(), (folder_ / "vocab.txt").string() + ": found an empty file, expected one token a line");
}

TEST_F(LoadTokenizer, RefusesOtherModels) {
  Json json = tokenizer_json();
  json["model"]["type"] = "Character";
  json["normalizer"] = json["pre_tokenizer"] = nullptr;
  write("tokenizer.json", json.dump());
  EXPECT_EQ(failure(), (folder_ / "tokenizer.json").string() +
                           ": model is of type 'Character', expected 'WordPiece', 'WordLevel', 'BPE' or 'Unigram'");
}

TEST_F(LoadTokenizer, RefusesOtherNormalizers) {
  Json json = tokenizer_json();
  json["normalizer"] = {{"type", "Uppercase"}};
  write("tokenizer.json", json.dump());
  EXPECT_THAT(failure(), HasSubstr("normalizer is of type 'Uppercase', which is not supported; supported are Sequence, Prepend,"));
}

TEST_F(LoadTokenizer, RefusesIds_ThatAreNone) {
  for (const Json& id : {Json(-1), Json(1.5), Json("3"), Json(4'000'000'000), Json(2)}) {
    Json json = tokenizer_json();
    json["model"]["vocab"]["Fox"] = id;
    write("tokenizer.json", json.dump());
    EXPECT_THAT(failure(), HasSubstr("tokenizer.json: token"));
  }
}

TEST_F(LoadTokenizer, RefusesMalformedFields) {
  const Json good = tokenizer_json();
  for (const char* path : {"/model", "/model/vocab", "/normalizer", "/normalizer/lowercase", "/pre_tokenizer", "/model/unk_token",
                           "/added_tokens", "/added_tokens/0", "/added_tokens/0/id", "/added_tokens/0/content"}) {
    Json json = good;
    json[Json::json_pointer(path)] = 3.5;
    write("tokenizer.json", json.dump());
    EXPECT_THAT(failure(), HasSubstr("tokenizer.json: ")) << path;
  }
}

TEST_F(LoadTokenizer, NamesTheConfigsField_OfAWrongType) {
  write("vocab.txt", kVocabularyFile);
  write("tokenizer_config.json", R"({"do_lower_case": "yes"})");
  EXPECT_EQ(failure(), (folder_ / "tokenizer_config.json").string() + ": do_lower_case is \"yes\", expected true or false");
}

}  // namespace
}  // namespace tsrun
