#include "support/folder_test.h"
#include "tsrun/base/files.h"
#include "unit/app/process.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

/// Every recipe under tests/recipes is a test. Its first comments say how it must end:
///   -- expect: text         standard output holds the text
///   -- expect-error: text   standard error holds the text
///   -- expect-exit: 2       exit status (0 when absent)
///   -- with: --set dim=3    words added to the command
namespace tsrun {
namespace {

namespace fs = std::filesystem;

struct Expectations {
  std::vector<std::string> out, err, words;
  int code = 0;
};

Expectations read_expectations(const fs::path& recipe) {
  Expectations expected;
  std::istringstream lines(read_text(recipe));
  for (std::string line; std::getline(lines, line) && line.starts_with("-- ");) {
    const auto colon = line.find(": ");
    if (colon == line.npos) continue;
    const auto key = line.substr(3, colon - 3), value = line.substr(colon + 2);
    if (key == "expect") expected.out.push_back(value);
    if (key == "expect-error") expected.err.push_back(value);
    if (key == "expect-exit") expected.code = std::stoi(value);
    std::istringstream words(key == "with" ? value : "");
    for (std::string word; words >> word;) expected.words.push_back(word);
  }
  return expected;
}

std::vector<fs::path> recipes() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(TSRUN_SOURCE_DIR) / "tests" / "recipes"))
    if (entry.path().extension() == ".lua" && read_text(entry.path()).find("-- expect") != std::string::npos) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class Recipes : public FolderTest, public ::testing::WithParamInterface<fs::path> {};

TEST_P(Recipes, EndsAsItSays) {
  const auto expected = read_expectations(GetParam());
  const auto here = folder_ / "here";
  fs::create_directories(here);
  for (const auto& entry : fs::directory_iterator(GetParam().parent_path()))
    fs::copy(entry.path(), here / entry.path().filename(), fs::copy_options::recursive);
  std::vector<std::string> words = {GetParam().filename().string(), "--jobs", "1"};
  words.insert(words.end(), expected.words.begin(), expected.words.end());
  const auto outcome = tsrun_program(words, here);
  EXPECT_EQ(outcome.code, expected.code) << outcome.err;
  for (const auto& text : expected.out) EXPECT_THAT(outcome.out, ::testing::HasSubstr(text));
  for (const auto& text : expected.err) EXPECT_THAT(outcome.err, ::testing::HasSubstr(text));
  if (expected.code != 0) {
    EXPECT_EQ(files_below(here / ".tsrun" / "store" / "objects"), 0u) << "a recipe that fails at once leaves nothing in the store";
  }
}

std::string stem(const ::testing::TestParamInfo<fs::path>& info) { return info.param.stem().string(); }

INSTANTIATE_TEST_SUITE_P(All, Recipes, ::testing::ValuesIn(recipes()), stem);

}  // namespace
}  // namespace tsrun
