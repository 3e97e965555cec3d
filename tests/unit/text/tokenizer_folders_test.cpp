#include "tsrun/base/log.h"
#include "unit/text/golden_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using Json = nlohmann::json;
using testing::read_rows;

/// `value` with what "@name" stands for in its place.
Json whole(const Json& value, const Json& shared) {
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    return text.starts_with("@") && shared.contains(text.substr(1)) ? shared.at(text.substr(1)) : value;
  }
  Json out = value;
  if (out.is_structured())
    for (Json& part : out) part = whole(part, shared);
  return out;
}

std::string content_of(const Json& value, const Json& shared) {
  const Json content = whole(value, shared);
  if (!content.is_string()) return content.dump();
  const auto text = content.get<std::string>();
  if (!text.starts_with("@")) return text;
  std::ifstream file(testing::golden_folder(text.substr(1)));
  return {std::istreambuf_iterator<char>(file), {}};
}

Encoding golden_row(const Tokenizer& tokenizer, const Json& row) {
  const auto first = row.at("first").get<std::string>();
  const auto second = row.at("second").is_null() ? std::nullopt : std::optional(row.at("second").get<std::string>());
  const auto length = row.at("max_length").is_null() ? std::nullopt : std::optional(row.at("max_length").get<int64_t>());
  return tokenizer.encode(first, second ? std::optional<std::string_view>(*second) : std::nullopt, length);
}

/// A row for which the reference makes no segments has those of the template, all 0 where the folder says so.
void expect_row(const Tokenizer& tokenizer, const Json& row, bool configured, const std::string& name) {
  const Encoding encoding = golden_row(tokenizer, row);
  EXPECT_EQ(Json(encoding.ids), row.at("ids")) << name << row;
  if (!row.at("segments").is_null()) {
    EXPECT_EQ(Json(encoding.segments), row.at("segments")) << name << row;
  } else if (configured) {
    EXPECT_THAT(encoding.segments, ::testing::Each(0)) << name << row;
  }
  const auto ids = row.at("ids").get<std::vector<int64_t>>();
  EXPECT_EQ(tokenizer.decode(ids, false), row.at("decoded").get<std::string>()) << name << row;
  EXPECT_EQ(tokenizer.decode(ids, true), row.at("decoded_skip").get<std::string>()) << name << row;
}

bool is_configured(const Json& files) {
  if (!files.contains("tokenizer_config.json")) return false;
  const Json& config = files.at("tokenizer_config.json");
  return config.contains("tokenizer_class") || config.contains("model_input_names");
}

class TokenizerFolders : public ::testing::Test {
 protected:
  void SetUp() override {
    set_verbosity(Verbosity::quiet);
    lines_ = read_rows(std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/tokenizer_folders.jsonl");
    ASSERT_GT(lines_.size(), 80u);
  }
  void TearDown() override { set_verbosity(Verbosity::normal); }

  template <class Check>
  void each_folder(Check check) {
    for (size_t line = 1; line < lines_.size(); ++line) {
      const testing::TemporaryFolder folder;
      for (const auto& [file, value] : lines_[line].at("files").items()) folder.write(file, content_of(value, lines_[0].at("shared")));
      check(folder.path(), lines_[line]);
    }
  }

  std::vector<Json> lines_;
};

TEST_F(TokenizerFolders, ProducesTransformersIdsAndTexts_EveryMixtureOfFiles) {
  each_folder([](const std::filesystem::path& folder, const Json& line) {
    const auto tokenizer = load_tokenizer(folder);
    const auto name = line.at("name").get<std::string>() + " ";
    EXPECT_GE(tokenizer->vocabulary_size(), line.at("size").get<int64_t>()) << name;
    for (const Json& row : line.at("rows")) expect_row(*tokenizer, row, is_configured(line.at("files")), name);
  });
}

TEST_F(TokenizerFolders, SavesWhatItLoads) {
  each_folder([](const std::filesystem::path& folder, const Json& line) {
    load_tokenizer(folder)->save(folder / "copy");
    const auto tokenizer = load_tokenizer(folder / "copy");
    for (const Json& row : line.at("rows"))
      expect_row(*tokenizer, row, is_configured(line.at("files")), line.at("name").get<std::string>() + " ");
  });
}

}  // namespace
}  // namespace tsrun
