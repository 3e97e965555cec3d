#include "tsrun/base/error.h"
#include "unit/text/golden_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;
using testing::golden_folder;

/// Folders made by changing a golden one.
class TokenizerFiles : public ::testing::Test {
 protected:
  void copy(const std::string& golden) {
    for (const auto& file : std::filesystem::directory_iterator(golden_folder(golden)))
      if (file.path().filename() != "goldens.jsonl") std::filesystem::copy_file(file.path(), path() / file.path().filename());
  }
  const std::filesystem::path& path() const { return folder_.path(); }
  Json json(const std::string& golden) { return Json::parse(std::ifstream(golden_folder(golden) / "tokenizer.json")); }
  void write(const std::string& name, const std::string& text) { folder_.write(name, text); }

  std::string failure() {
    try {
      load_tokenizer(path());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
    return "no error";
  }
  std::string failure_with(const std::string& golden, const std::string& pointer, const Json& value) {
    Json changed = json(golden);
    changed[Json::json_pointer(pointer)] = value;
    write("tokenizer.json", changed.dump());
    return failure();
  }

  testing::TemporaryFolder folder_;
};

TEST_F(TokenizerFiles, NamesEveryComponent_ThatIsNotSupported) {
  const std::string file = (path() / "tokenizer.json").string();
  const auto refuses = [&](const char* place, const char* type, const char* supported) {
    EXPECT_THAT(failure_with("gpt2", place, {{"type", type}}),
                ::testing::AllOf(HasSubstr(file + ": " + (place + 1) + " is of type '" + type + "', which is not supported; supported are"),
                                 HasSubstr(supported)));
  };
  refuses("/normalizer", "Uppercase", "Nmt");
  refuses("/pre_tokenizer", "UnicodeScripts", "Punctuation");
  refuses("/post_processor", "New", "BertProcessing");
  refuses("/decoder", "Binary", "BPEDecoder");
  EXPECT_EQ(failure_with("gpt2", "/model/type", "Character"),
            file + ": model is of type 'Character', expected 'WordPiece', 'WordLevel', 'BPE' or 'Unigram'");
  EXPECT_EQ(failure_with("gpt2", "/model/dropout", 0.1), file + ": model.dropout is 0.1, which is not supported");
  EXPECT_THAT(failure_with("gpt2", "/pre_tokenizer", {{"type", "CharDelimiterSplit"}, {"delimiter", "ab"}}),
              HasSubstr("CharDelimiterSplit has delimiter 'ab', expected one character"));
  EXPECT_THAT(failure_with("gpt2", "/pre_tokenizer", {{"type", "Punctuation"}, {"behavior", "Scattered"}}),
              HasSubstr("Punctuation has behavior 'Scattered', expected 'Removed', 'Isolated'"));
  EXPECT_THAT(failure_with("gpt2", "/pre_tokenizer", {{"type", "FixedLength"}, {"length", 0}}), HasSubstr("length 0, expected 1 or more"));
  EXPECT_EQ(failure_with("gpt2", "/model/dream", 1), file + ": model BPE has 'dream', which is not supported");
  EXPECT_EQ(failure_with("gpt2", "/pre_tokenizer/dream", 1), file + ": pre_tokenizer ByteLevel has 'dream', which is not supported");
  EXPECT_EQ(failure_with("gpt2", "/dream", 1), file + ": tokenizer has 'dream', which is not supported");
  EXPECT_THAT(failure_with("t5", "/normalizer/precompiled_charsmap", "@@"),
              HasSubstr("precompiled_charsmap is malformed, expected base64"));
  EXPECT_THAT(failure_with("llama3", "/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\w+|\\b"),
              HasSubstr("pattern '\\w+|\\b' has '\\w'"));
}

TEST_F(TokenizerFiles, TakesUnknownFields_ThatSayNothing) {
  EXPECT_EQ(failure_with("gpt2", "/model/dream", nullptr), "no error");
  EXPECT_EQ(failure_with("gpt2", "/pre_tokenizer/dream", false), "no error");
}

TEST_F(TokenizerFiles, RefusesOptions_ThatWouldChangeIdsUnseen) {
  copy("gpt2");
  write("tokenizer_config.json", R"({"sp_model_kwargs": {"enable_sampling": true}})");
  EXPECT_THAT(failure(), HasSubstr("tokenizer_config.json: sp_model_kwargs has enable_sampling"));
  write("tokenizer_config.json", R"({"truncation_side": "middle"})");
  EXPECT_THAT(failure(), HasSubstr("tokenizer_config.json: truncation_side is 'middle', expected 'left' or 'right'"));
  write("tokenizer_config.json", R"({"fast_tokenizer_files": ["tokenizer.json", "tokenizer.4.9.json"]})");
  EXPECT_THAT(failure(), HasSubstr("fast_tokenizer_files has 'tokenizer.4.9.json'"));
  write("tokenizer_config.json", R"({"fix_mistral_regex": true})");
  EXPECT_THAT(failure(), HasSubstr("fix_mistral_regex"));
  write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  EXPECT_THAT(failure(), HasSubstr("tokenizer.json: model is of type 'BPE', but its tokenizer is a 'BertTokenizer', expected 'WordPiece'"));
}

TEST_F(TokenizerFiles, RefusesAddedTokens_WhoseIdsDoNotFollow) {
  copy("roberta_files");
  const auto size = load_tokenizer(path())->vocabulary_size();
  write("added_tokens.json", Json{{"<x>", size + 3}}.dump());
  EXPECT_THAT(failure(), HasSubstr("added_tokens.json: token '<x>' has id " + std::to_string(size + 3) + ", but the tokenizer gives it " +
                                   std::to_string(size)));
  write("added_tokens.json", R"({"<x>": 7, "<y>": 7})");
  EXPECT_THAT(failure(), HasSubstr("added_tokens.json: tokens '<x>' and '<y>' have id 7, expected ids to differ"));
  write("added_tokens.json", R"({"<x>": -1})");
  EXPECT_THAT(failure(), HasSubstr("added_tokens.json: token '<x>' has id -1"));
  write("added_tokens.json", R"(["<x>"])");
  EXPECT_THAT(failure(), HasSubstr("added_tokens.json: found array, expected an object"));
}

TEST_F(TokenizerFiles, RefusesAVocabulary_OfAnotherClass) {
  write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\nfox\n");
  write("tokenizer_config.json", R"({"tokenizer_class": "BertweetTokenizer"})");
  EXPECT_THAT(failure(), HasSubstr("vocab.txt: its tokenizer is a 'BertweetTokenizer', expected one of BERT's"));
  write("tokenizer_config.json", "{}");
  write("config.json", R"({"model_type": "t5"})");
  EXPECT_THAT(load_tokenizer(path())->encode("fox").ids, ElementsAre(1, 3, 2));
}

TEST_F(TokenizerFiles, RefusesMalformedFields) {
  const std::vector<std::pair<const char*, const char*>> places = {{"gpt2", "/model"},
                                                                   {"gpt2", "/model/vocab"},
                                                                   {"gpt2", "/model/merges"},
                                                                   {"gpt2", "/model/merges/0"},
                                                                   {"gpt2", "/added_tokens"},
                                                                   {"gpt2", "/added_tokens/0/id"},
                                                                   {"gpt2", "/decoder"},
                                                                   {"gpt2", "/pre_tokenizer"},
                                                                   {"roberta", "/post_processor/sep"},
                                                                   {"t5", "/model/vocab/3"},
                                                                   {"t5", "/model/vocab/3/0"},
                                                                   {"t5", "/model/unk_id"},
                                                                   {"t5", "/post_processor/single"},
                                                                   {"t5", "/post_processor/special_tokens"},
                                                                   {"llama", "/normalizer/normalizers"},
                                                                   {"llama", "/decoder/decoders/0/pattern"},
                                                                   {"llama3", "/pre_tokenizer/pretokenizers"}};
  for (const auto& [golden, place] : places)
    EXPECT_THAT(failure_with(golden, place, 3.5), HasSubstr("tokenizer.json: ")) << golden << place;
}

TEST_F(TokenizerFiles, TakesSpecialTokensFromTheConfig) {
  copy("gpt2");
  write("tokenizer_config.json", R"({"bos_token": "<|endoftext|>", "eos_token": "</eos>", "pad_token": "[PAD]", "add_bos_token": true,
    "additional_special_tokens": ["<x>"], "mask_token": {"content": "<mask>", "lstrip": true}})");
  const auto tokenizer = load_tokenizer(path());
  const int64_t size = load_tokenizer(golden_folder("gpt2"))->vocabulary_size();
  EXPECT_EQ(tokenizer->vocabulary_size(), size + 4);
  EXPECT_EQ(tokenizer->special_id(SpecialToken::end), size);
  EXPECT_EQ(tokenizer->special_id(SpecialToken::padding), size + 1);
  EXPECT_EQ(tokenizer->mask_id(), size + 2);
  EXPECT_EQ(tokenizer->id("<x>"), size + 3);
  EXPECT_EQ(tokenizer->special_id(SpecialToken::separator), std::nullopt);
  const auto ids = tokenizer->encode("<x>[PAD] <mask></eos>").ids;
  EXPECT_THAT(ids, ElementsAre(size + 3, size + 1, size + 2, size));  // rows of a tokenizer.json stay as they are
  EXPECT_EQ(tokenizer->decode(ids, true), "");
  EXPECT_EQ(tokenizer->decode(ids, false), "<x>[PAD]<mask></eos>");
}

TEST_F(TokenizerFiles, RefusesATokenOfTwoIds) {
  copy("gpt2");
  write("tokenizer_config.json", R"({"additional_special_tokens": [3]})");
  EXPECT_THAT(failure(), HasSubstr("tokenizer_config.json: a special token is number, expected a text or an object"));
  write("tokenizer_config.json", R"({"added_tokens_decoder": {"7": {"content": "<|endoftext|>"}}})");
  EXPECT_THAT(failure(), HasSubstr("tokenizer_config.json: token '<|endoftext|>' has id 7, but the tokenizer gives it 4"));
}

TEST_F(TokenizerFiles, PutsABlankFirst_WhereTheConfigSaysSo) {
  copy("roberta_files");
  const std::vector<int64_t> with = load_tokenizer(path())->tokenize(" the fox"), without = load_tokenizer(path())->tokenize("the fox");
  write("tokenizer_config.json", R"({"add_prefix_space": true})");
  EXPECT_NE(without, with);
  EXPECT_EQ(load_tokenizer(path())->tokenize("the fox"), with);
}

TEST_F(TokenizerFiles, ReadsGpt2AndQwen2_FromVocabularyFiles) {
  const Json model = json("gpt2").at("model");
  Json vocabulary = model.at("vocab");
  const auto end = static_cast<int64_t>(vocabulary.size());
  vocabulary["<|endoftext|>"] = end;
  std::string merges = "#version: 0.2\r\n";
  for (const Json& merge : model.at("merges")) merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\r\n";
  write("vocab.json", vocabulary.dump());
  write("merges.txt", merges);
  const auto gpt2 = load_tokenizer(path());
  EXPECT_EQ(gpt2->encode("the fox 123").ids, load_tokenizer(golden_folder("gpt2"))->encode("the fox 123").ids);
  EXPECT_EQ(gpt2->special_id(SpecialToken::end), end);
  EXPECT_EQ(gpt2->tokenize("<|endoftext|>").size(), 1u);
  write("tokenizer_config.json", R"({"tokenizer_class": "Qwen2Tokenizer", "bos_token": "<|endoftext|>", "add_bos_token": true})");
  const auto row = load_tokenizer(path())->encode("e\u0301I'LL 12").ids;
  EXPECT_EQ(row.front(), end);
  EXPECT_EQ(std::vector(row.begin() + 1, row.end()), load_tokenizer(golden_folder("qwen2"))->tokenize("e\u0301I'LL 12"));
  write("tokenizer_config.json", R"({"tokenizer_class": "WhisperTokenizer"})");
  EXPECT_THAT(failure(), HasSubstr("its tokenizer is a 'WhisperTokenizer', expected gpt2, roberta or qwen2"));
}

TEST_F(TokenizerFiles, NamesTheLine_OfAMalformedMerge) {
  copy("roberta_files");
  write("merges.txt", "#version: 0.2\nt h\nt he e\n");
  EXPECT_EQ(failure(), (path() / "merges.txt").string() + ":3: a merge is 't he e', expected two tokens with a blank between them");
  write("merges.txt", "t h\nt\xff h\n");
  EXPECT_EQ(failure(), (path() / "merges.txt").string() + ":2: found byte 0xff at column 2, expected UTF-8");
  std::filesystem::remove(path() / "merges.txt");
  EXPECT_EQ(failure(), path().string() + ": found vocab.json without merges.txt, expected both");
}

TEST_F(TokenizerFiles, SaysWhere_ASentencePieceModelIsMalformed) {
  const std::string file = (path() / "tokenizer.model").string();
  write("tokenizer.model",
        "\x0a\x05\x0a\x03"
        "a");
  EXPECT_EQ(failure(), file + ": byte 0: field 1 has 5 bytes where 3 are left, expected a SentencePiece model");
  write("tokenizer.model", "IQ== 0\nIg== 1\n");
  EXPECT_THAT(failure(), HasSubstr("expected a SentencePiece model"));
  write("tokenizer.model", "");
  EXPECT_EQ(failure(), file + ": found no pieces, expected a SentencePiece model");
}

TEST_F(TokenizerFiles, RefusesASentencePieceModel_OfAnotherFamily) {
  copy("t5_files");
  write("tokenizer_config.json", R"({"tokenizer_class": "XLNetTokenizer"})");
  EXPECT_THAT(failure(), HasSubstr("spiece.model: its tokenizer is a 'XLNetTokenizer', expected t5"));
}

TEST_F(TokenizerFiles, AddsTheEnd_WhereALlamaFolderSaysSo) {
  copy("llama_files");
  write("tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false, "add_eos_token": true})");
  const auto tokenizer = load_tokenizer(path());
  std::vector<int64_t> expected = tokenizer->tokenize("the fox");
  expected.push_back(2);
  EXPECT_EQ(tokenizer->encode("the fox").ids, expected);
}

TEST(EncodeBatch, MakesTheRowsOfEncode) {
  const auto tokenizer = load_tokenizer(golden_folder("roberta"));
  std::vector<std::string> first, second;
  for (int i = 0; i < 300; ++i) {
    first.push_back("the fox " + std::to_string(i));
    second.push_back("a dog");
  }
  const auto rows = encode_batch(*tokenizer, first, second, 9), bare = encode_batch(*tokenizer, first);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(rows[i].ids, tokenizer->encode(first[i], second[i], 9).ids);
    EXPECT_EQ(bare[i].ids, tokenizer->encode(first[i]).ids);
  }
  EXPECT_THROW(encode_batch(*tokenizer, first, second, 2), Error);
  EXPECT_TRUE(encode_batch(*tokenizer, {}).empty());
}

TEST(Truncation, CutsOnlyTheFirst_WhereAsked) {
  const auto tokenizer = load_tokenizer(golden_folder("roberta"));
  const auto whole = tokenizer->encode("the the the the", "fox").ids;
  const auto cut = tokenizer->encode("the the the the", "fox", static_cast<int64_t>(whole.size()) - 2, Truncation::only_first).ids;
  std::vector<int64_t> expected = whole;
  expected.erase(expected.begin() + 3, expected.begin() + 5);
  EXPECT_EQ(cut, expected);
  EXPECT_THROW(tokenizer->encode("the", "fox fox fox", 5, Truncation::only_first), Error);
}

TEST(Decoding, LeavesOutIdsWithoutATokenAndMendsBytes) {
  const auto tokenizer = load_tokenizer(golden_folder("gpt2"));
  EXPECT_EQ(tokenizer->decode(std::vector<int64_t>{-1, 100000}, false), "");
  const std::vector<int64_t> half = {tokenizer->tokenize("\u00fe").front()};
  EXPECT_EQ(tokenizer->decode(half, false), "\uFFFD");
  const auto words = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "fox", "##es", ".", "the"});
  EXPECT_EQ(words->decode(words->encode("The foxes.").ids, true), "the foxes.");
  EXPECT_EQ(words->decode(words->encode("foxes").ids, false), "[CLS] foxes [SEP]");
}

}  // namespace
}  // namespace tsrun
