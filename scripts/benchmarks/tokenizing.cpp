// Speed of tokenizing the lines of a file over and over, about 20 MB in all; one JSON line.
//
// usage: bench_tokenizing MODEL_FOLDER TEXT_FILE [--threads 2] [--save FOLDER]
//
// --save writes the tokenizer as a tokenizer.json, from which a peer can be timed on the same ids.
#include "tsrun/base/files.h"
#include "tsrun/base/parallel.h"
#include "tsrun/text/tokenizer.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using namespace tsrun;

constexpr size_t kBytes = 20'000'000;

std::vector<std::string> lines_of(const std::string& text, size_t& bytes) {
  std::vector<std::string> lines;
  while (bytes < kBytes && !text.empty()) {
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      lines.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    bytes += text.size();
  }
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: bench_tokenizing MODEL_FOLDER TEXT_FILE [--threads 2] [--save FOLDER]\n");
    return 2;
  }
  int workers = 2;
  const auto tokenizer = load_tokenizer(argv[1]);
  for (int i = 3; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--threads") == 0) workers = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--save") == 0) tokenizer->save(argv[i + 1]);
  }
  set_threads(workers);
  size_t bytes = 0, ids = 0;
  const std::vector<std::string> lines = lines_of(read_text(argv[2]), bytes);
  encode_batch(*tokenizer, std::span(lines).first(std::min<size_t>(lines.size(), 1000)));  // threads up
  const auto begin = std::chrono::steady_clock::now();
  for (const Encoding& row : encode_batch(*tokenizer, lines)) ids += row.ids.size();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const nlohmann::json result = {{"bytes", bytes}, {"lines", lines.size()}, {"ids", ids}, {"threads", workers}, {"seconds", seconds}};
  std::printf("%s\n", result.dump().c_str());
  return 0;
}
