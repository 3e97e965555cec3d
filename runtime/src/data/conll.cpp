#include "data/lines.h"
#include "data/readers.h"
#include "data/targets.h"

#include <utility>

namespace tsrun::data {
namespace {

constexpr std::string_view kBetweenColumns = " \t";

/// The first and the last column of a line.
std::pair<std::string, std::string> word_and_tag(std::string_view line, int64_t number, const std::string& name) {
  const size_t begin = line.find_first_not_of(kBetweenColumns), end = line.find_last_not_of(kBetweenColumns) + 1;
  line = line.substr(begin, end - begin);
  const size_t first = line.find_first_of(kBetweenColumns), last = line.find_last_of(kBetweenColumns);
  if (first == std::string_view::npos) error_at(name, number, "found 1 column, expected a word and, in the last column, its tag");
  return {std::string(line.substr(0, first)), std::string(line.substr(last + 1))};
}

}  // namespace

std::vector<Example> read_conll(std::string_view text, const std::vector<std::string>& labels, const std::string& name) {
  const TagReader tags(labels, name);
  std::vector<Example> examples;
  bool within = false;
  each_line(text, name, [&](std::string_view line, int64_t number) {
    const bool blank = line.find_first_not_of(kBetweenColumns) == std::string_view::npos;
    if (blank || line.starts_with("-DOCSTART-")) {
      within = false;
      return;
    }
    if (!std::exchange(within, true)) {
      examples.emplace_back();
      examples.back().row = static_cast<int64_t>(examples.size()) - 1;
    }
    auto [word, tag] = word_and_tag(line, number, name);
    examples.back().words.push_back(std::move(word));
    examples.back().tags.push_back(tags.read(tag, number));
  });
  if (examples.empty()) error_at(name, 1, "found no words, expected a word and its tag a line");
  return examples;
}

}  // namespace tsrun::data
