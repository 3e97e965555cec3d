#include "text/pipeline.h"

#include "text/added_tokens_json.h"
#include "text/json_fields.h"
#include "text/model_files.h"
#include "text/post_processor.h"
#include "text/utf8_units.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <utility>

namespace tsrun {

using Json = nlohmann::json;

namespace text {

Pipeline::Pipeline(TokenizerDocument document, const std::string& where)
    : document_(std::move(document.json)),
      roles_(std::move(document.roles)),
      inferred_(std::move(document.inferred)),
      settings_(document.settings) {
  if (!document_.is_object()) data_error("{}: found {}, expected an object", where, document_.type_name());
  expect_keys(document_,
              {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"},
              "tokenizer", where);
  normalizer_ = normal_step_of(document_.value("normalizer", Json()), where);
  pre_tokenizer_ = pre_tokenizer_of(document_.value("pre_tokenizer", Json()), where);
  if (pre_tokenizer_.asks_for_start) expect_start_kept(document_.value("normalizer", Json()), where);
  decoder_ = decoder_of(document_.value("decoder", Json()), where);
  model_ = model_of(std::exchange(document_["model"], nullptr), pre_tokenizer_, where);
  index_added_tokens(where);
  rows_ = rows_of(document_.value("post_processor", Json()), names_.size(), where);
  document_["truncation"] = document_["padding"] = nullptr;
  if (!settings_.tells_segments) rows_.drop_segments();
  rows_.cut_left = settings_.cuts_left;
}

void Pipeline::index_added_tokens(const std::string& where) {
  std::vector<AddedToken> added, raw, normalized;
  const Json entries = document_.value("added_tokens", Json::array());
  if (!entries.is_array()) data_error("{}: added_tokens is {}, expected an array", where, entries.type_name());
  for (const Json& entry : entries) replace_or_add(added, read_added(entry, integer_field(entry, "id", where).value_or(-1), where));
  names_ = TokenNames(model_->vocabulary(), added);
  for (AddedToken& token : added) {
    if (token.normalized && normalizer_) {
      token.content = (*normalizer_)(token.content);
      names_.spell(token.id, token.content);
    }
    token.ignored = token.special && settings_.splits_special;
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  raw_ = AddedTokens(std::move(raw));
  normalized_ = AddedTokens(std::move(normalized));
}

std::vector<int64_t> Pipeline::tokenize(std::string_view text) const {
  std::string storage;
  text = well_formed(text, storage);
  std::vector<int64_t> ids;
  ids.reserve(text.size() / 4 + 4);
  raw_.split(
      text, [&](std::string_view piece) { encode_text(piece, piece.data() == text.data(), ids); }, [&](int32_t id) { ids.push_back(id); });
  return ids;
}

void Pipeline::encode_text(std::string_view text, bool at_start, std::vector<int64_t>& ids) const {
  std::string storage;
  if (normalizer_) text = storage = (*normalizer_)(std::string(text));
  if (normalized_.empty()) return encode_pieces(text, at_start, ids);
  normalized_.split(
      text, [&](std::string_view piece) { encode_pieces(piece, at_start && piece.data() == text.data(), ids); },
      [&](int32_t id) { ids.push_back(id); });
}

void Pipeline::encode_pieces(std::string_view text, bool at_start, std::vector<int64_t>& ids) const {
  if (text.empty()) return;
  thread_local Pieces pieces;  // keeps its memory
  pieces.parts.assign(1, {text, at_start});
  pieces.texts.clear();
  for (const auto& step : pre_tokenizer_.steps) (*step)(pieces);
  for (const Piece& piece : pieces.parts) model_->encode(piece.text, ids);
}

Encoding Pipeline::encode(std::string_view first, std::optional<std::string_view> second, std::optional<int64_t> max_length,
                          Truncation truncation) const {
  if (!second) return fill(rows_, tokenize(first), nullptr, max_length, truncation);
  const std::vector<int64_t> ids = tokenize(*second);
  return fill(rows_, tokenize(first), &ids, max_length, truncation);
}

std::string Pipeline::decode(std::span<const int64_t> ids, bool skip_special_tokens) const {
  std::string text = decoded_text(decoder_, names_.spellings_of(ids, skip_special_tokens));
  return settings_.cleans_up ? clean_up_spaces(std::move(text)) : text;
}

std::optional<int64_t> Pipeline::id(std::string_view token) const {
  if (const auto added = names_.added_id(token)) return added;
  const int32_t id = model_->find(token);
  return id < 0 ? std::nullopt : std::optional<int64_t>(id);
}

/// Rows that begin with a classifier and end with a separator have no other begin and end.
std::optional<int64_t> Pipeline::special_id(SpecialToken token) const {
  for (const SpecialRoles* roles : {&roles_, &inferred_})
    if (const auto role = roles->find(token); role != roles->end()) return id(role->second);
  if (token == SpecialToken::unknown && model_->unknown() >= 0) return model_->unknown();
  if (token == SpecialToken::begin) return special_id(SpecialToken::classifier);
  if (token == SpecialToken::end) return special_id(SpecialToken::separator);
  return std::nullopt;
}

void Pipeline::save(const std::filesystem::path& folder) const {
  std::filesystem::create_directories(folder);
  Json document = document_, config = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  document["model"] = model_->json();
  for (const auto& [role, key] : kRoleKeys)
    if (const auto token = roles_.find(role); token != roles_.end()) config[key] = token->second;
  write_settings(settings_, config);
  Json& special = config["added_tokens_decoder"] = Json::object();  // a token that plays a part and is not special stays so
  for (Json entry : document.at("added_tokens")) {
    const std::string id = entry.at("id").dump();
    entry.erase("id");
    if (entry.at("special") == true) special[id] = std::move(entry);
  }
  write_durable(folder / "tokenizer.json", document.dump(1) + '\n');
  write_durable(folder / "tokenizer_config.json", config.dump(2) + '\n');
}

}  // namespace text

std::unique_ptr<Tokenizer> make_tokenizer(Json document, SpecialRoles roles, const std::string& where) {
  return std::make_unique<text::Pipeline>(text::TokenizerDocument{std::move(document), std::move(roles)}, where);
}

}  // namespace tsrun
