#include "text/vocabulary.h"

#include "tsrun/base/error.h"
#include "tsrun/text/utf8.h"

namespace tsrun::text {

std::vector<std::string> parse_vocabulary(std::string_view text, const std::string& name) {
  std::vector<std::string> tokens;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (const auto bad = find_invalid_utf8(line)) {
      data_error("{}:{}: found byte 0x{:02x} at column {}, expected UTF-8", name, tokens.size() + 1, static_cast<unsigned char>(line[*bad]),
                 *bad + 1);
    }
    tokens.emplace_back(line);
  }
  if (tokens.empty()) data_error("{}: found an empty file, expected one token a line", name);
  if (static_cast<int64_t>(tokens.size()) > kMostTokenIds)
    data_error("{}: found {} tokens, expected at most {}", name, tokens.size(), kMostTokenIds);
  return tokens;
}

std::vector<std::string> vocabulary_of(const nlohmann::json& entries, const std::string& name) {
  if (!entries.is_object() || entries.empty()) data_error("{}: found no vocabulary, expected an object of tokens and ids", name);
  std::vector<std::string> tokens;
  for (const auto& [token, id] : entries.items()) {
    if (!id.is_number_integer() || id < 0 || id >= kMostTokenIds) {
      data_error("{}: token '{}' has id {}, expected an integer from 0 to {}", name, token, id.dump(), kMostTokenIds - 1);
    }
    const auto place = id.get<size_t>();
    if (place >= tokens.size()) tokens.resize(place + 1);
    if (!tokens[place].empty())
      data_error("{}: tokens '{}' and '{}' have id {}, expected ids to differ", name, tokens[place], token, place);
    tokens[place] = token;
  }
  return tokens;
}

}  // namespace tsrun::text
