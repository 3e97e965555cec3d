#include "text/added_tokens_json.h"
#include "text/conventions.h"
#include "text/json_fields.h"
#include "text/token_merger.h"
#include "tsrun/base/error.h"

namespace tsrun {
namespace {

using Json = nlohmann::json;

Json token_piece(const std::string& token, int segment) { return {{"SpecialToken", {{"id", token}, {"type_id", segment}}}}; }

void push_text(Json& row, const char* text, int segment, const std::string& begin, const std::string& end) {
  if (!begin.empty()) row.push_back(token_piece(begin, segment));
  row.push_back({{"Sequence", {{"id", text}, {"type_id", segment}}}});
  if (!end.empty()) row.push_back(token_piece(end, segment));
}

/// XLM-RoBERTa's rows: an end behind each text, and one more between two.
Json double_end_rows(const NamedId& begin, const NamedId& end) {
  Json rows = begin_end_rows(begin, end, 0);
  rows["pair"] = rows["single"];
  rows["pair"].push_back(token_piece(end.name, 0));
  push_text(rows["pair"], "B", 0, "", end.name);
  return rows;
}

}  // namespace

Json special_entry(const std::string& content, int64_t id, bool strip_left) {
  text::AddedToken token{content};
  token.special = true;
  token.strip_left = strip_left;
  Json entry = text::added_json(token);
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

namespace text {

SpecialRoles named_roles(SpecialRoles defaults, const FolderConfig& config) {
  for (const auto& [role, key] : kRoleKeys)
    if (const auto token = token_field(config.options, key, config.where(key))) defaults[role] = *token;
  return defaults;
}

Json class_rows(const TokenizerDocument& document, const std::string& where) {
  const auto named = [&](SpecialToken role) {
    const std::string& token = document.roles.at(role);
    const auto id = document_id(document.json, token);
    if (!id) data_error("{}: found no token '{}', expected it for the rows", where, token);
    return NamedId{token, *id};
  };
  if (document.rows == ClassRows::t5) return begin_end_rows({}, named(SpecialToken::end), 0);
  if (document.rows == ClassRows::xlm_roberta) return double_end_rows(named(SpecialToken::begin), named(SpecialToken::end));
  const NamedId classifier = named(SpecialToken::classifier), separator = named(SpecialToken::separator);
  const bool bert = document.rows == ClassRows::bert;
  Json rows = {{"type", bert ? "BertProcessing" : "RobertaProcessing"},
               {"sep", {separator.name, separator.id}},
               {"cls", {classifier.name, classifier.id}}};
  if (!bert) rows["trim_offsets"] = true, rows["add_prefix_space"] = false;
  return rows;
}

}  // namespace text

}  // namespace tsrun
