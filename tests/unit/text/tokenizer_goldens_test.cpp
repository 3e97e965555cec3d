#include "unit/text/golden_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using Json = nlohmann::json;
using testing::golden_folder;
using testing::read_rows;
using testing::shared_folder;

std::string text_of(const Json& row) {
  if (row.contains("text")) return row.at("text").get<std::string>();
  const auto bytes = row.at("bytes").get<std::vector<uint8_t>>();
  return {bytes.begin(), bytes.end()};
}

Encoding row_of(const Tokenizer& tokenizer, const Json& row) {
  if (row.at("pair").is_null()) return tokenizer.encode(text_of(row));
  return tokenizer.encode(text_of(row), row.at("pair").get<std::string>());
}

void expect_rows(const Tokenizer& tokenizer, const std::vector<Json>& rows) {
  ASSERT_GT(rows.size(), 100u);
  for (const Json& row : rows) {
    const Encoding encoding = row.at("special") ? row_of(tokenizer, row) : Encoding{tokenizer.tokenize(text_of(row)), {}};
    EXPECT_EQ(Json(encoding.ids), row.at("ids")) << row;
    if (row.at("special")) {
      EXPECT_EQ(Json(encoding.segments), row.at("segments")) << row;
    }
    const auto ids = row.at("ids").get<std::vector<int64_t>>();
    EXPECT_EQ(tokenizer.decode(ids, false), row.at("decoded").get<std::string>()) << row;
    EXPECT_EQ(tokenizer.decode(ids, true), row.at("decoded_skip").get<std::string>()) << row;
  }
}

class TokenizerGoldens : public ::testing::TestWithParam<const char*> {};

TEST_P(TokenizerGoldens, ProducesTheReferencesIdsAndTexts) {
  const auto folder = golden_folder(GetParam());
  expect_rows(*load_tokenizer(folder), read_rows(folder / "goldens.jsonl"));
}

TEST_P(TokenizerGoldens, SavesWhatItLoads) {
  const auto folder = golden_folder(GetParam());
  const testing::TemporaryFolder copy;
  const auto before = load_tokenizer(folder);
  before->save(copy.path());
  const auto after = load_tokenizer(copy.path());
  expect_rows(*after, read_rows(folder / "goldens.jsonl"));
  for (const auto role : {SpecialToken::unknown, SpecialToken::begin, SpecialToken::end, SpecialToken::padding, SpecialToken::mask})
    EXPECT_EQ(after->special_id(role), before->special_id(role));
  EXPECT_EQ(after->vocabulary_size(), before->vocabulary_size());
}

INSTANTIATE_TEST_SUITE_P(EveryKind, TokenizerGoldens,
                         ::testing::Values("gpt2", "roberta", "roberta_files", "qwen2", "llama3", "t5", "t5_files", "llama", "llama_files",
                                           "other_steps"),
                         [](const auto& info) { return std::string(info.param); });

/// Rows "as-in-test" of RoBERTa were made with a blank before the text.
void expect_published(const std::string& vocabulary, const std::string& goldens, size_t count, const char* config) {
  const auto rows_file = shared_folder() / "data/tokenizer_goldens" / (goldens + ".jsonl");
  if (!std::filesystem::exists(rows_file)) GTEST_SKIP() << rows_file << " is not here";
  const auto folder = shared_folder() / "data/tokenizers" / vocabulary;
  const testing::TemporaryFolder in_test;
  for (const auto& file : std::filesystem::directory_iterator(folder))
    std::filesystem::create_symlink(std::filesystem::absolute(file.path()), in_test.path() / file.path().filename());
  in_test.write("tokenizer_config.json", config);
  const auto plain = load_tokenizer(folder), other = load_tokenizer(in_test.path());
  const std::vector<Json> rows = read_rows(rows_file);
  EXPECT_EQ(rows.size(), count);
  for (const Json& row : rows) {
    const auto& tokenizer = row.at("special") == "as-in-test" ? *other : *plain;
    const auto text = row.at("text").get<std::string>();
    EXPECT_EQ(Json(row.at("special") == "none" ? tokenizer.tokenize(text) : tokenizer.encode(text).ids), row.at("ids")) << row;
  }
}

TEST(PublishedGoldens, ProducesTheirIds_Gpt2) { expect_published("gpt2", "gpt2", 46, "{}"); }
TEST(PublishedGoldens, ProducesTheirIds_Roberta) { expect_published("roberta_base", "roberta_base", 4, R"({"add_prefix_space": true})"); }
TEST(PublishedGoldens, ProducesTheirIds_T5) { expect_published("t5", "t5_base", 11, "{}"); }

TEST(PublishedGoldens, ReadsTheStoriesOfARealModel) {
  const auto folder = shared_folder() / "data/models/stories260K";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  const auto tokenizer = load_tokenizer(folder);
  const std::vector<int64_t> ids = tokenizer->encode("Once upon a time, there was a little girl named Lily.").ids;
  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(tokenizer->decode(ids, true), "Once upon a time, there was a little girl named Lily.");
  EXPECT_EQ(tokenizer->special_id(SpecialToken::end), 2);
  const Json stories = Json::parse(std::ifstream(folder / "golden_story_nll.json"));
  size_t compared = 0;
  for (const Json& story : stories) {
    std::vector<int64_t> row = tokenizer->encode(story.at("text").get<std::string>()).ids;
    EXPECT_EQ(tokenizer->decode(row, true), story.at("text").get<std::string>());
    row.resize(std::min<size_t>(row.size(), 200));
    EXPECT_EQ(Json(row), story.at("ids_first_200"));
    ++compared;
  }
  EXPECT_EQ(compared, 20u);
}

}  // namespace
}  // namespace tsrun
