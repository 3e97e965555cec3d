#include "text/wordpiece_files.h"

#include "text/added_tokens_json.h"
#include "text/json_fields.h"
#include "text/normal_steps.h"
#include "text/vocabulary.h"
#include "tsrun/base/error.h"

#include <algorithm>

namespace tsrun {
namespace {

using Json = nlohmann::json;

void expect_type(const Json& tokenizer, const char* part, const char* known, const std::string& where) {
  const std::string type = type_field(tokenizer, part, where);
  if (!type.empty() && type != known) data_error("{}: {} is of type '{}', expected '{}'", where, part, type, known);
}

template <class Value>
void assign(Value& target, const std::optional<Value>& value) {
  if (value) target = *value;
}

void read_model(const Json& tokenizer, const std::string& where, WordPieceParts& parts) {
  expect_type(tokenizer, "model", "WordPiece", where);
  const Json& model = tokenizer.at("model");
  if (model.is_object())
    expect_keys(model, {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"}, "model WordPiece", where);
  parts.vocabulary = vocabulary_of(model.value("vocab", Json()), where);
  assign(parts.options.unknown, text_field(model, "unk_token", where));
  assign(parts.options.continuation, text_field(model, "continuing_subword_prefix", where));
  assign(parts.options.max_characters_per_word, integer_field(model, "max_input_chars_per_word", where));
}

void read_normalizer(const Json& tokenizer, const std::string& where, WordPieceOptions& options) {
  expect_type(tokenizer, "normalizer", "BertNormalizer", where);
  const auto normalizer = tokenizer.find("normalizer");
  if (normalizer == tokenizer.end() || normalizer->is_null()) {
    options.clean_text = options.split_cjk = options.lower_case = false;
    return;
  }
  assign(options.clean_text, flag_field(*normalizer, "clean_text", where));
  assign(options.split_cjk, flag_field(*normalizer, "handle_chinese_chars", where));
  assign(options.lower_case, flag_field(*normalizer, "lowercase", where));
  options.strip_accents = flag_field(*normalizer, "strip_accents", where);
}

/// The special token of "[CLS] A [SEP]" at `place`; rows of any other form are refused.
std::string template_token(const Json& row, size_t place, const std::string& where) {
  try {
    if (row.size() == 3 && row.at(1).at("Sequence").at("id") == "A") return row.at(place).at("SpecialToken").at("id").get<std::string>();
  } catch (const Json::exception&) {
    data_error("{}: post_processor.single is malformed, expected a special token, a text, a special token", where);
  }
  data_error("{}: post_processor.single has {} pieces, expected a special token, a text, a special token", where, row.size());
}

Json template_json(const RowTemplate& rows, const WordPieceOptions& options, bool pair) {
  Json pieces = Json::array();
  for (const RowTemplate::Piece& piece : pair ? rows.pair : rows.single) {
    const bool special = piece.source == RowTemplate::Source::special;
    const std::string text = piece.source == RowTemplate::Source::first ? "A" : "B";
    const std::string token = pieces.empty() ? options.classifier : options.separator;
    pieces.push_back({{special ? "SpecialToken" : "Sequence", {{"id", special ? token : text}, {"type_id", piece.segment}}}});
  }
  return pieces;
}

/// Rows are BERT's, "[CLS] A [SEP] B [SEP]" with segments 0 and 1, or refused.
void expect_bert_rows(const Json& rows, const WordPieceOptions& options, const std::string& where) {
  for (const bool pair : {false, true}) {
    const char* key = pair ? "pair" : "single";
    const Json expected = template_json(RowTemplate::bert(0, 0), options, pair), found = rows.value(key, Json());
    if (found != expected && !(pair && found.is_null()))
      data_error("{}: post_processor.{} is {}, expected {}", where, key, found.dump(), expected.dump());
  }
}

void read_template(const Json& tokenizer, const std::string& where, WordPieceOptions& options) {
  const std::string type = type_field(tokenizer, "post_processor", where);
  if (type.empty()) return;
  const Json& rows = tokenizer.at("post_processor");
  if (type == "TemplateProcessing") {
    const Json single = rows.value("single", Json());
    options.classifier = template_token(single, 0, where);
    options.separator = template_token(single, 2, where);
    expect_bert_rows(rows, options, where);
  } else if (type == "BertProcessing") {
    const auto first = [&](const char* key) {
      const Json pair = rows.value(key, Json());
      if (!pair.is_array() || pair.empty() || !pair[0].is_string())
        data_error("{}: post_processor.{} is malformed, expected [token, id]", where, key);
      return pair[0].get<std::string>();
    };
    options.classifier = first("cls");
    options.separator = first("sep");
  } else {
    data_error("{}: post_processor is of type '{}', expected 'TemplateProcessing' or 'BertProcessing'", where, type);
  }
}

Json strip_json(const WordPieceOptions& options) { return options.strip_accents ? Json(*options.strip_accents) : Json(); }

}  // namespace

WordPieceParts parse_wordpiece(const Json& tokenizer, const std::string& where) {
  if (!tokenizer.is_object() || !tokenizer.contains("model"))
    data_error("{}: found no 'model', expected a tokenizer of type WordPiece", where);
  WordPieceParts parts;
  read_model(tokenizer, where, parts);
  read_normalizer(tokenizer, where, parts.options);
  expect_type(tokenizer, "pre_tokenizer", "BertPreTokenizer", where);
  read_template(tokenizer, where, parts.options);
  expect_type(tokenizer, "decoder", "WordPiece", where);
  if (tokenizer.contains("decoder") && tokenizer.at("decoder").is_object())
    parts.clean_up = flag_field(tokenizer.at("decoder"), "cleanup", where).value_or(true);
  const Json added = tokenizer.value("added_tokens", Json::array());
  for (const Json& entry : added) replace_or_add(parts.added, read_added(entry, integer_field(entry, "id", where).value_or(-1), where));
  return parts;
}

void apply_tokenizer_config(const Json& config, const std::string& where, WordPieceParts& parts) {
  WordPieceOptions& options = parts.options;
  assign(options.lower_case, flag_field(config, "do_lower_case", where));
  assign(options.split_cjk, flag_field(config, "tokenize_chinese_chars", where));
  if (const auto strip = flag_field(config, "strip_accents", where)) options.strip_accents = strip;
  assign(options.unknown, token_field(config, "unk_token", where));
  assign(options.separator, token_field(config, "sep_token", where));
  assign(options.classifier, token_field(config, "cls_token", where));
  assign(options.padding, token_field(config, "pad_token", where));
  assign(options.mask, token_field(config, "mask_token", where));
  const Json added = config.value("added_tokens_decoder", Json::object());
  if (!added.is_object()) data_error("{}: added_tokens_decoder is {}, expected an object", where, added.type_name());
  for (const auto& [key, entry] : added.items()) {
    const bool number = !key.empty() && key.size() < 10 && std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
    replace_or_add(parts.added, read_added(entry, number ? std::stoll(key) : -1, where));
  }
}

Json wordpiece_json(const WordPieceParts& parts) {
  const WordPieceOptions& options = parts.options;
  Json vocabulary = Json::object(), added = Json::array(), specials = Json::object();
  for (size_t id = 0; id < parts.vocabulary.size(); ++id) {
    if (!parts.vocabulary[id].empty()) vocabulary[parts.vocabulary[id]] = id;
  }
  for (const AddedToken& token : parts.added) {
    added.push_back(added_json(token));
    added.back()["id"] = token.id;
    if (token.content != options.classifier && token.content != options.separator) continue;
    specials[token.content] = {{"id", token.content}, {"ids", {token.id}}, {"tokens", {token.content}}};
  }
  const RowTemplate rows = RowTemplate::bert(0, 0);
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", options.clean_text},
            {"handle_chinese_chars", options.split_cjk},
            {"strip_accents", strip_json(options)},
            {"lowercase", options.lower_case}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", template_json(rows, options, false)},
            {"pair", template_json(rows, options, true)},
            {"special_tokens", specials}}},
          {"decoder", {{"type", "WordPiece"}, {"prefix", options.continuation}, {"cleanup", parts.clean_up}}},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", options.unknown},
            {"continuing_subword_prefix", options.continuation},
            {"max_input_chars_per_word", options.max_characters_per_word},
            {"vocab", vocabulary}}}};
}

Json wordpiece_config(const WordPieceParts& parts) {
  const WordPieceOptions& options = parts.options;
  Json added = Json::object();
  for (const AddedToken& token : parts.added) added[std::to_string(token.id)] = added_json(token);
  return {{"tokenizer_class", "BertTokenizer"},   {"do_lower_case", options.lower_case},
          {"strip_accents", strip_json(options)}, {"tokenize_chinese_chars", options.split_cjk},
          {"unk_token", options.unknown},         {"sep_token", options.separator},
          {"cls_token", options.classifier},      {"pad_token", options.padding},
          {"mask_token", options.mask},           {"added_tokens_decoder", added}};
}

}  // namespace tsrun
