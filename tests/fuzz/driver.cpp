// Stands in for libFuzzer: runs the target over every seed in a folder, every short beginning of it, and changed copies of it. The changes
// come from a fixed key, so that a failure repeats.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "fuzz/target.h"
#include "tsrun/base/files.h"
#include "tsrun/base/random.h"

namespace {

using namespace tsrun;

constexpr std::string_view fragments[] = {"{",
                                          "}",
                                          "[",
                                          "]",
                                          "\"",
                                          "\\",
                                          "\n",
                                          "\t",
                                          ",",
                                          "=",
                                          "0",
                                          "-1",
                                          "9223372036854775807",
                                          "18446744073709551616",
                                          "1e999",
                                          "nan",
                                          "null",
                                          "true",
                                          "\xff",
                                          "\xc3",
                                          "\xef\xbb\xbf",
                                          "\xf0\x9f\x98\x80",
                                          "##",
                                          "[UNK]",
                                          "--",
                                          "end",
                                          "'''"};

std::string changed(std::string text, const std::vector<std::string>& seeds, Stream& stream) {
  const auto place = [&](const std::string& in) { return static_cast<size_t>(stream.below(in.size() + 1)); };
  for (uint64_t left = 1 + stream.below(4); left > 0; --left) {
    const size_t at = place(text), length = static_cast<size_t>(stream.below(16));
    switch (stream.below(6)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(stream.next());
        break;
      case 1:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << stream.below(8)));
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, text.substr(place(text), length));
        break;
      case 4:
        text.insert(at, fragments[stream.below(std::size(fragments))]);
        break;
      default: {
        const std::string& other = seeds[stream.below(seeds.size())];
        text = text.substr(0, at) + other.substr(place(other));
      }
    }
  }
  return text;
}

bool passes(const std::string& input) {
  try {
    // A copy of exactly this size, so that a sanitizer sees every read past its end.
    const std::vector<uint8_t> bytes(input.begin(), input.end());
    return LLVMFuzzerTestOneInput(bytes.data(), bytes.size()) == 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "escaped: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "escaped: something that is no std::exception\n");
  }
  return false;
}

bool report_failure(const std::string& input) {
  const char* file = "fuzz-failure";
  write_durable(file, input);
  std::fprintf(stderr, "the input is in %s\n", file);
  return false;
}

bool survives(const std::string& seed, const std::vector<std::string>& seeds, int changes, Stream stream) {
  constexpr size_t longest_beginning = 300;
  if (!passes(seed)) return report_failure(seed);
  for (size_t size = 0; size < std::min(seed.size(), longest_beginning); ++size) {
    if (!passes(seed.substr(0, size))) return report_failure(seed.substr(0, size));
  }
  for (int i = 0; i < changes; ++i) {
    const std::string input = changed(seed, seeds, stream);
    if (!passes(input)) return report_failure(input);
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER CHANGES_PER_SEED\n", arguments[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& file : files) seeds.push_back(read_text(file));
  for (size_t i = 0; i < seeds.size(); ++i) {
    std::fprintf(stderr, "%s\n", files[i].c_str());
    if (!survives(seeds[i], seeds, std::atoi(arguments[2]), Stream(Key::root(1).split(files[i].filename().string())))) return 1;
  }
  return seeds.empty() ? 1 : 0;
}
