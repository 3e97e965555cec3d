#include "text/added_tokens_json.h"
#include "text/conventions.h"

namespace tsrun {
namespace {

using Json = nlohmann::json;

Json token_piece(const std::string& token, int segment) { return {{"SpecialToken", {{"id", token}, {"type_id", segment}}}}; }

void push_text(Json& row, const char* text, int segment, const std::string& begin, const std::string& end) {
  if (!begin.empty()) row.push_back(token_piece(begin, segment));
  row.push_back({{"Sequence", {{"id", text}, {"type_id", segment}}}});
  if (!end.empty()) row.push_back(token_piece(end, segment));
}

}  // namespace

Json special_entry(const std::string& content, int64_t id, bool strip_left) {
  AddedToken token{content};
  token.special = true;
  token.strip_left = strip_left;
  Json entry = added_json(token);
  entry["id"] = id;
  return entry;
}

Json begin_end_rows(const NamedId& begin, const NamedId& end, int second_segment) {
  Json single = Json::array(), pair = Json::array(), specials = Json::object();
  push_text(single, "A", 0, begin.name, end.name);
  push_text(pair, "A", 0, begin.name, end.name);
  push_text(pair, "B", second_segment, begin.name, end.name);
  for (const NamedId& token : {begin, end})
    if (!token.name.empty()) specials[token.name] = {{"id", token.name}, {"ids", {token.id}}, {"tokens", {token.name}}};
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", specials}};
}

}  // namespace tsrun
