#include "data/template.h"

#include "tsrun/base/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace tsrun::data {

Template::Template(std::string_view text, const std::vector<std::string>& columns) : text_(text) {
  parts_.emplace_back();
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      parts_.back().literal.push_back(c);
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      parts_.back().literal.push_back(text[++at]);
      continue;
    }
    if (c == '}') throw std::invalid_argument("found a '}' without a '{' before it, expected '}}' for a brace");
    const size_t end = text.find('}', at);
    if (end == std::string_view::npos) throw std::invalid_argument("found a '{' without a '}' behind it, expected '{{' for a brace");
    add_column(text.substr(at + 1, end - at - 1), columns);
    at = end;
  }
}

void Template::add_column(std::string_view name, const std::vector<std::string>& columns) {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) {
    throw std::invalid_argument(
        fmt::format("found the column '{}'{}, expected one of {}", name, did_you_mean(name, columns), join_words(columns)));
  }
  parts_.back().column = static_cast<int>(found - columns.begin());
  parts_.emplace_back();
}

std::string Template::fill(std::span<const std::string_view> texts) const {
  std::string out;
  for (const Part& part : parts_) {
    out += part.literal;
    if (part.column >= 0) out += texts[static_cast<size_t>(part.column)];
  }
  return out;
}

std::string escape_braces(std::string_view text) {
  std::string out;
  for (const char c : text) out.append(c == '{' || c == '}' ? 2 : 1, c);
  return out;
}

}  // namespace tsrun::data
