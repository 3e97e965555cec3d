#pragma once

#include "tsrun/text/tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tsrun::testing {

inline std::vector<nlohmann::json> read_rows(const std::filesystem::path& path) {
  std::vector<nlohmann::json> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

inline std::filesystem::path golden_folder(const std::string& name) {
  return std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/tokenizers" / name;
}

/// Data that is not part of the project: $TSRUN_SHARED, or `shared` beside the sources.
inline std::filesystem::path shared_folder() {
  const char* given = std::getenv("TSRUN_SHARED");
  return given ? std::filesystem::path(given) : std::filesystem::path(TSRUN_SOURCE_DIR) / ".." / "shared";
}

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::path(::testing::TempDir()) / "tsrun_text_XXXXXX").string();
    if (mkdtemp(pattern.data())) path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path_ / name, std::ios::binary) << text; }

 private:
  std::filesystem::path path_;
};

}  // namespace tsrun::testing
