#include "tsrun/text/tokenizer.h"
#include "unit/text/golden_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tsrun {
namespace {

using Json = nlohmann::json;
using testing::shared_folder;

std::vector<Json> read_lines(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

std::unique_ptr<Tokenizer> tokenizer_of(const Json& row, const std::vector<std::string>& vocabulary) {
  WordPieceOptions options;
  options.lower_case = row.at("do_lower_case");
  if (row.contains("strip_accents")) options.strip_accents = row.at("strip_accents").get<bool>();
  options.split_cjk = row.value("tokenize_chinese_chars", true);
  return make_wordpiece(vocabulary, options);
}

Encoding encode(const Tokenizer& tokenizer, const Json& row) {
  const auto first = row.at("first").get<std::string>();
  const auto second = row.at("second").is_null() ? std::nullopt : std::optional(row.at("second").get<std::string>());
  const auto length = row.at("max_length").is_null() ? std::nullopt : std::optional(row.at("max_length").get<int64_t>());
  return tokenizer.encode(first, second ? std::optional<std::string_view>(*second) : std::nullopt, length);
}

TEST(WordPieceGoldens, ProducesTransformersIds_EveryOptionSet) {
  const std::vector<Json> lines = read_lines(std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/wordpiece.jsonl");
  ASSERT_GT(lines.size(), 400u);
  const auto vocabulary = lines.front().at("vocabulary").get<std::vector<std::string>>();
  for (size_t line = 1; line < lines.size(); ++line) {
    const Encoding row = encode(*tokenizer_of(lines[line], vocabulary), lines[line]);
    EXPECT_EQ(Json(row.ids), lines[line].at("ids")) << lines[line];
    EXPECT_EQ(Json(row.segments), lines[line].at("segments")) << lines[line];
  }
}

TEST(WordPieceGoldens, ProducesPublishedIds_BertBaseUncased) {
  const std::filesystem::path goldens = shared_folder() / "data/tokenizer_goldens/bert_base_uncased.jsonl";
  const std::filesystem::path vocabulary = shared_folder() / "data/tokenizers/bert_base_uncased";
  if (!std::filesystem::exists(goldens)) GTEST_SKIP() << goldens << " is not here";
  const auto tokenizer = load_tokenizer(vocabulary);
  const std::vector<Json> lines = read_lines(goldens);
  EXPECT_EQ(lines.size(), 531u);
  for (const Json& line : lines) {
    const auto text = line.at("text").get<std::string>();
    const bool bare = line.at("special") == "none";
    EXPECT_EQ(Json(bare ? tokenizer->tokenize(text) : tokenizer->encode(text).ids), line.at("ids")) << line;
  }
}

}  // namespace
}  // namespace tsrun
