#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "fuzz/target.h"
#include "tsrun/text/tokenizer.h"

using namespace tsrun;

namespace {

// The files of one tokenizer: "=== NAME" on a line of its own begins each. What comes before the first is text to tokenize.
std::string_view write_files(std::string_view input, const std::filesystem::path& folder) {
  constexpr std::string_view mark = "=== ";
  constexpr std::string_view names[] = {"tokenizer.json",        "vocab.txt",       "vocab.json",        "merges.txt",
                                        "spiece.model",          "tokenizer.model", "added_tokens.json", "special_tokens_map.json",
                                        "tokenizer_config.json", "config.json"};
  const std::string_view text = input.substr(0, input.find(mark));
  input.remove_prefix(text.size());
  while (input.substr(0, mark.size()) == mark) {
    input.remove_prefix(mark.size());
    const std::string_view name = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(input.size(), name.size() + 1));
    const std::string_view content = input.substr(0, input.find(mark));
    input.remove_prefix(content.size());
    if (std::find(std::begin(names), std::end(names), name) != std::end(names)) {
      std::ofstream(folder / name, std::ios::binary) << content;
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("tsrun_fuzz_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string_view text = write_files(testing::text_of(data, size), folder);
  testing::refuse_or_take([&] {
    const auto tokenizer = load_tokenizer(folder);
    const std::vector<int64_t> ids = tokenizer->tokenize(text);
    for (const int64_t id : ids) {
      if (id < 0 || id >= tokenizer->vocabulary_size()) std::abort();
    }
    tokenizer->decode(ids, false);
    const Encoding row = tokenizer->encode(text.substr(0, text.size() / 2), text.substr(text.size() / 2), 16);
    if (row.ids.size() > 16 || row.ids.size() != row.segments.size()) std::abort();
  });
  std::filesystem::remove_all(folder);
  return 0;
}
