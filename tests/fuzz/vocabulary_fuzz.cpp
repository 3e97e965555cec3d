#include <algorithm>
#include <cstdlib>
#include <vector>

#include "fuzz/target.h"
#include "tsrun/text/tokenizer.h"

using namespace tsrun;

// One token a line up to the first empty line; the rest is text to tokenize.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = testing::text_of(data, size);
  std::vector<std::string> vocabulary;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.empty()) break;
    vocabulary.emplace_back(line);
  }
  testing::refuse_or_take([&] {
    const auto tokenizer = make_wordpiece(vocabulary);
    for (const int64_t id : tokenizer->tokenize(rest)) {
      if (id < 0 || id >= tokenizer->vocabulary_size()) std::abort();
    }
    const Encoding row = tokenizer->encode(rest.substr(0, rest.size() / 2), rest.substr(rest.size() / 2), 16);
    if (row.ids.size() > 16 || row.ids.size() != row.segments.size()) std::abort();
  });
  return 0;
}
