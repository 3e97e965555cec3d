// Stands in for libFuzzer: runs the target over every seed in a folder, every short beginning of it, and changed copies of it. The changes
// come from a key, so that a failure repeats: 1 unless another is given, as every nightly run does.
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

/// One target's run: what it changes, how often, and where it leaves an input that failed.
struct Run {
  std::vector<std::string> seeds;
  int changes = 0;
  std::string failure_file;
};

bool survives(const Run& run, const std::string& input) {
  if (passes(input)) return true;
  write_durable(run.failure_file, input);
  std::fprintf(stderr, "the input is in %s\n", run.failure_file.c_str());
  return false;
}

bool survives_all(const Run& run, const std::string& seed, Stream stream) {
  constexpr size_t longest_beginning = 300;
  if (!survives(run, seed)) return false;
  for (size_t size = 0; size < std::min(seed.size(), longest_beginning); ++size) {
    if (!survives(run, seed.substr(0, size))) return false;
  }
  for (int i = 0; i < run.changes; ++i) {
    if (!survives(run, changed(seed, run.seeds, stream))) return false;
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3 && count != 4) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER CHANGES_PER_SEED [KEY]\n", arguments[0]);
    return 2;
  }
  Run run = {{}, std::atoi(arguments[2]), std::filesystem::path(arguments[0]).filename().string() + "-failure"};
  const Key key = Key::root(count == 4 ? std::strtoull(arguments[3], nullptr, 10) : 1);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) run.seeds.push_back(read_text(file));
  for (size_t i = 0; i < files.size(); ++i) {
    std::fprintf(stderr, "%s\n", files[i].c_str());
    if (!survives_all(run, run.seeds[i], Stream(key.split(files[i].filename().string())))) return 1;
  }
  return files.empty() ? 1 : 0;
}
