#include "text/conventions.h"
#include "text/json_fields.h"
#include "text/pipeline.h"
#include "text/token_merger.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <utility>

namespace tsrun {
namespace {

using Json = nlohmann::json;

bool is_stated(const text::FolderConfig& config, const std::string& token) {
  for (const Json& entry : config.added)
    if (entry.value("content", "") == token) return true;
  return false;
}

/// A token of BERT's rows that no file names must be in the vocabulary: a vocabulary without it is of another kind.
void expect_token(const Json& vocabulary, const text::FolderConfig& config, const SpecialRoles& roles, SpecialToken role, const char* key,
                  const std::string& where) {
  const std::string& token = roles.at(role);
  if (config.options.contains(key) || vocabulary.contains(token) || is_stated(config, token)) return;
  std::vector<std::string> names;
  for (const auto& [name, id] : vocabulary.items()) names.push_back(name);
  data_error("{}: found no {} token '{}' among {} tokens, expected one{}", where,
             role == SpecialToken::classifier ? "classifier" : "separator", token, names.size(), did_you_mean(token, names));
}

Json options_json(const WordPieceOptions& options) {
  Json json = {{"do_lower_case", options.lower_case},
               {"tokenize_chinese_chars", options.split_cjk},
               {"unk_token", options.unknown},
               {"pad_token", options.padding},
               {"mask_token", options.mask}};
  if (options.strip_accents) json["strip_accents"] = *options.strip_accents;
  return json;
}

}  // namespace

namespace text {

const SpecialRoles& bert_roles() {
  static const SpecialRoles roles = {{SpecialToken::unknown, "[UNK]"},
                                     {SpecialToken::separator, "[SEP]"},
                                     {SpecialToken::padding, "[PAD]"},
                                     {SpecialToken::classifier, "[CLS]"},
                                     {SpecialToken::mask, "[MASK]"}};
  return roles;
}

TokenizerDocument wordpiece_document(Json vocabulary, const FolderConfig& config, const std::string& where) {
  const auto option = [&](const char* key, bool fallback) { return flag_field(config.options, key, config.where(key)).value_or(fallback); };
  TokenizerDocument document;
  document.roles = named_roles(bert_roles(), config);
  document.rows = ClassRows::bert;
  if (vocabulary.is_object()) {
    expect_token(vocabulary, config, document.roles, SpecialToken::classifier, "cls_token", where);
    expect_token(vocabulary, config, document.roles, SpecialToken::separator, "sep_token", where);
  }
  const auto strip = flag_field(config.options, "strip_accents", config.where("strip_accents"));
  document.json = {{"normalizer",
                    {{"type", "BertNormalizer"},
                     {"clean_text", true},
                     {"handle_chinese_chars", option("tokenize_chinese_chars", true)},
                     {"strip_accents", strip ? Json(*strip) : Json()},
                     {"lowercase", option("do_lower_case", true)}}},
                   {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                   {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}}};
  document.json["model"] = {{"type", "WordPiece"},
                            {"unk_token", document.roles.at(SpecialToken::unknown)},
                            {"continuing_subword_prefix", "##"},
                            {"max_input_chars_per_word", 100}};
  document.json["model"]["vocab"] = std::move(vocabulary);
  return document;
}

Json vocabulary_json(const std::vector<std::string>& tokens) {
  Json vocabulary = Json::object();
  for (size_t id = 0; id < tokens.size(); ++id)
    if (!tokens[id].empty()) vocabulary[tokens[id]] = id;
  return vocabulary;
}

void infer_bert_roles(TokenizerDocument& document) {
  for (const auto& [role, token] : bert_roles())
    if (!document.roles.contains(role) && document_id(document.json, token)) document.inferred[role] = token;
}

}  // namespace text

std::unique_ptr<Tokenizer> make_wordpiece(std::vector<std::string> vocabulary, WordPieceOptions options) {
  using namespace text;
  const std::string where = "vocabulary";
  FolderConfig config;
  config.options = options_json(options);
  Json tokens = vocabulary_json(vocabulary);
  SpecialRoles rows = {{SpecialToken::classifier, options.classifier}, {SpecialToken::separator, options.separator}};
  expect_token(tokens, config, rows, SpecialToken::classifier, "cls_token", where);
  expect_token(tokens, config, rows, SpecialToken::separator, "sep_token", where);
  config.options["cls_token"] = options.classifier;
  config.options["sep_token"] = options.separator;
  TokenizerDocument document = wordpiece_document(std::move(tokens), config, where);
  std::erase_if(document.roles, [&](const auto& role) { return !document_id(document.json, role.second); });
  document.json["normalizer"]["clean_text"] = options.clean_text;
  document.json["model"]["continuing_subword_prefix"] = document.json["decoder"]["prefix"] = options.continuation;
  document.json["model"]["max_input_chars_per_word"] = options.max_characters_per_word;
  merge_tokens(config, document, where);
  document.json["post_processor"] = class_rows(document, where);
  return std::make_unique<Pipeline>(std::move(document), where);
}

}  // namespace tsrun
