#include "data/lines.h"
#include "data/readers.h"
#include "tsrun/data/words.h"

namespace tsrun::data {
namespace {

std::vector<std::string> tab_fields(std::string_view line) {
  std::vector<std::string> fields;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('\t', begin), line.size());
    fields.emplace_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

}  // namespace

std::vector<Example> read_crossfit(std::string_view text, const std::string& name) {
  std::vector<Example> examples;
  each_line(text, name, [&](std::string_view line, int64_t number) {
    line = stripped(line);
    if (line.empty()) return;
    std::vector<std::string> fields = tab_fields(line);
    if (fields.size() < 2) error_at(name, number, "found no tab, expected an input, a tab and an answer");
    Example& example = examples.emplace_back();
    example.row = static_cast<int64_t>(examples.size()) - 1;
    example.first = std::move(fields.front());
    example.answers.assign(std::make_move_iterator(fields.begin() + 1), std::make_move_iterator(fields.end()));
  });
  if (examples.empty()) error_at(name, 1, "found only blank lines, expected an input, a tab and an answer a line");
  return examples;
}

}  // namespace tsrun::data
