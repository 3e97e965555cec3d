#include "text/model_files.h"

#include "text/bpe.h"
#include "text/json_fields.h"
#include "text/normal_steps.h"
#include "text/unigram.h"
#include "text/vocabulary.h"
#include "text/word_level.h"
#include "text/wordpiece.h"
#include "tsrun/base/error.h"
#include "tsrun/text/utf8.h"

namespace tsrun::text {
namespace {

using Json = nlohmann::json;

/// The field, or null when it is absent.
const Json& field_of(const Json& object, const char* key) {
  static const Json null;
  const auto field = object.find(key);
  return field == object.end() ? null : *field;
}

std::string model_type(const Json& model, const std::string& where) {
  const std::string type = text_field(model, "type", where + ": model").value_or("");
  if (!type.empty()) return type;
  if (model.contains("merges")) return "BPE";
  if (field_of(model, "vocab").is_array()) return "Unigram";
  return model.contains("continuing_subword_prefix") ? "WordPiece" : "WordLevel";
}

std::string shortened(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 60); }

/// The two tokens of a line "left right".
std::pair<std::string, std::string> split_merge(std::string_view line, const std::string& where) {
  const size_t blank = line.find(' ');
  if (blank == std::string_view::npos || blank == 0 || blank + 1 == line.size() || line.find(' ', blank + 1) != std::string_view::npos)
    data_error("{}: a merge is '{}', expected two tokens with a blank between them", where, line.substr(0, 60));
  return {std::string(line.substr(0, blank)), std::string(line.substr(blank + 1))};
}

std::vector<std::pair<std::string, std::string>> merges_of(const Json& merges, const std::string& where) {
  if (!merges.is_array()) data_error("{}: model.merges is {}, expected an array", where, merges.type_name());
  std::vector<std::pair<std::string, std::string>> pairs;
  pairs.reserve(merges.size());
  for (const Json& merge : merges) {
    const std::string place = where + ": model.merges";
    if (merge.is_string()) {
      pairs.push_back(split_merge(merge.get_ref<const std::string&>(), place));
      continue;
    }
    if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string())
      data_error("{}: a merge is {}, expected two tokens", place, shortened(merge));
    pairs.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
  }
  return pairs;
}

std::unique_ptr<SubwordModel> bpe_of(const Json& model, bool bytes, const std::string& where) {
  expect_keys(model,
              {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges",
               "vocab", "merges"},
              "model BPE", where);
  const Json& dropout = field_of(model, "dropout");
  if (!dropout.is_null() && dropout != 0) data_error("{}: model.dropout is {}, which is not supported", where, shortened(dropout));
  BpeParts parts;
  parts.vocabulary = vocabulary_of(field_of(model, "vocab"), where);
  parts.merges = merges_of(field_of(model, "merges"), where);
  parts.unknown = text_field(model, "unk_token", where).value_or("");
  parts.fuse_unknown = flag_field(model, "fuse_unk", where).value_or(false);
  parts.byte_fallback = flag_field(model, "byte_fallback", where).value_or(false);
  parts.ignore_merges = flag_field(model, "ignore_merges", where).value_or(false);
  parts.prefix = text_field(model, "continuing_subword_prefix", where).value_or("");
  parts.suffix = text_field(model, "end_of_word_suffix", where).value_or("");
  parts.bytes = bytes;
  if (parts.byte_fallback && (bytes || !parts.prefix.empty() || !parts.suffix.empty()))
    data_error("{}: model.byte_fallback together with ByteLevel, a prefix or a suffix is not supported", where);
  return std::make_unique<Bpe>(std::move(parts), where);
}

std::unique_ptr<SubwordModel> wordpiece_of(const Json& model, const std::string& where) {
  expect_keys(model, {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"}, "model WordPiece", where);
  WordPieceParts parts;
  parts.vocabulary = vocabulary_of(field_of(model, "vocab"), where);
  parts.unknown = text_field(model, "unk_token", where).value_or(parts.unknown);
  parts.continuation = text_field(model, "continuing_subword_prefix", where).value_or(parts.continuation);
  parts.max_characters = integer_field(model, "max_input_chars_per_word", where).value_or(parts.max_characters);
  return std::make_unique<WordPiece>(std::move(parts), where);
}

std::unique_ptr<SubwordModel> word_level_of(const Json& model, const std::string& where) {
  expect_keys(model, {"unk_token", "vocab"}, "model WordLevel", where);
  std::string unknown = text_field(model, "unk_token", where).value_or("<unk>");
  return std::make_unique<WordLevel>(vocabulary_of(field_of(model, "vocab"), where), std::move(unknown), where);
}

std::unique_ptr<SubwordModel> unigram_of(const Json& model, const std::string& where) {
  expect_keys(model, {"unk_id", "vocab", "byte_fallback"}, "model Unigram", where);
  const Json& vocabulary = field_of(model, "vocab");
  if (!vocabulary.is_array() || vocabulary.empty()) data_error("{}: found no vocabulary, expected an array of tokens and scores", where);
  if (static_cast<int64_t>(vocabulary.size()) > kMostTokenIds)
    data_error("{}: found {} tokens, expected at most {}", where, vocabulary.size(), kMostTokenIds);
  UnigramParts parts;
  for (const Json& entry : vocabulary) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
      data_error("{}: token {} is {}, expected [token, score]", where, parts.vocabulary.size(), shortened(entry));
    parts.vocabulary.push_back(entry[0].get<std::string>());
    parts.scores.push_back(entry[1].get<double>());
  }
  const auto unknown = integer_field(model, "unk_id", where);
  if (!unknown) data_error("{}: model.unk_id is null, which is not supported", where);
  parts.unknown = *unknown;
  parts.byte_fallback = flag_field(model, "byte_fallback", where).value_or(false);
  return std::make_unique<Unigram>(std::move(parts), where);
}

}  // namespace

std::string model_type_of(const Json& tokenizer, const std::string& where) {
  if (!tokenizer.is_object() || !tokenizer.contains("model") || !tokenizer.at("model").is_object())
    data_error("{}: found no 'model', expected one of type WordPiece, WordLevel, BPE or Unigram", where);
  return model_type(tokenizer.at("model"), where);
}

std::unique_ptr<SubwordModel> model_of(const Json& model, PreTokenizerParts& pre_tokenizer, const std::string& where) {
  const std::string type = model_type(model, where);
  if (type == "BPE") return bpe_of(model, pre_tokenizer.bytes, where);
  spell_bytes(pre_tokenizer);
  if (type == "WordPiece") return wordpiece_of(model, where);
  if (type == "WordLevel") return word_level_of(model, where);
  if (type == "Unigram") return unigram_of(model, where);
  data_error("{}: model is of type '{}', expected 'WordPiece', 'WordLevel', 'BPE' or 'Unigram'", where, type);
}

Json parse_merges(std::string_view text, const std::string& name) {
  Json merges = Json::array();
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    const std::string place = name + ":" + std::to_string(number);
    if (const auto bad = find_invalid_utf8(line))
      data_error("{}: found byte 0x{:02x} at column {}, expected UTF-8", place, static_cast<unsigned char>(line[*bad]), *bad + 1);
    auto [left, right] = split_merge(line, place);
    merges.push_back({std::move(left), std::move(right)});
  }
  return merges;
}

}  // namespace tsrun::text
