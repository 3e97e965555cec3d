#include "text/added_tokens_json.h"

#include "text/json_fields.h"
#include "text/vocabulary.h"
#include "tsrun/base/error.h"

#include <algorithm>
#include <utility>

namespace tsrun::text {

AddedToken read_added(const nlohmann::json& entry, int64_t id, const std::string& where) {
  AddedToken token;
  token.content = text_field(entry, "content", where).value_or("");
  if (token.content.empty()) data_error("{}: an added token has no content, expected a text", where);
  if (id < 0 || id >= kMostTokenIds)
    data_error("{}: token '{}' has id {}, expected an integer from 0 to {}", where, token.content, id, kMostTokenIds - 1);
  token.id = static_cast<int32_t>(id);
  token.single_word = flag_field(entry, "single_word", where).value_or(false);
  token.strip_left = flag_field(entry, "lstrip", where).value_or(false);
  token.strip_right = flag_field(entry, "rstrip", where).value_or(false);
  token.special = flag_field(entry, "special", where).value_or(false);
  token.normalized = flag_field(entry, "normalized", where).value_or(!token.special);
  return token;
}

nlohmann::json added_json(const AddedToken& token) {
  return {{"content", token.content},    {"single_word", token.single_word}, {"lstrip", token.strip_left},
          {"rstrip", token.strip_right}, {"normalized", token.normalized},   {"special", token.special}};
}

void replace_or_add(std::vector<AddedToken>& added, AddedToken token) {
  const auto same = std::find_if(added.begin(), added.end(), [&](const AddedToken& known) { return known.content == token.content; });
  if (same == added.end()) return added.push_back(std::move(token));
  *same = std::move(token);
}

}  // namespace tsrun::text
