#include "text/conventions.h"
#include "text/json_fields.h"
#include "text/model_files.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"

#include <utility>

namespace tsrun::text {
namespace {

using Json = nlohmann::json;

constexpr const char* kVisibleBlank = "\u2581";

const char* model_of_family(const std::string& family) {
  if (family == "bert") return "WordPiece";
  return family == "t5" || family == "xlm-roberta" ? "Unigram" : "BPE";
}

/// The first Precompiled among the normalizers, which is all that Unigram classes take of them.
Json charsmap_of(const Json& normalizer) {
  if (!normalizer.is_object()) return {};
  if (normalizer.value("type", "") == "Precompiled") return normalizer;
  const Json parts = normalizer.value("normalizers", Json::array());
  for (const Json& part : parts)
    if (part.is_object() && part.value("type", "") == "Precompiled") return part;
  return {};
}

SpecialRoles unigram_roles(const std::string& family) {
  if (family == "t5") return {{SpecialToken::end, "</s>"}, {SpecialToken::unknown, "<unk>"}, {SpecialToken::padding, "<pad>"}};
  return {{SpecialToken::begin, "<s>"},      {SpecialToken::end, "</s>"},      {SpecialToken::separator, "</s>"},
          {SpecialToken::classifier, "<s>"}, {SpecialToken::unknown, "<unk>"}, {SpecialToken::padding, "<pad>"},
          {SpecialToken::mask, "<mask>"}};
}

TokenizerDocument unigram_document(const Json& file, Json vocabulary, const FolderConfig& config) {
  const bool t5 = config.family == "t5";
  const bool prefix = t5 || flag_field(config.options, "add_prefix_space", config.where("add_prefix_space")).value_or(true);
  const Json metaspace = {
      {"type", "Metaspace"}, {"replacement", kVisibleBlank}, {"prepend_scheme", prefix ? "always" : "never"}, {"split", true}};
  TokenizerDocument document;
  document.roles = named_roles(unigram_roles(config.family), config);
  document.rows = t5 ? ClassRows::t5 : ClassRows::xlm_roberta;
  document.json = {{"normalizer", charsmap_of(file.value("normalizer", Json()))},
                   {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {{{"type", "WhitespaceSplit"}}, metaspace}}}},
                   {"decoder", metaspace},
                   {"model", {{"type", "Unigram"}, {"unk_id", t5 ? 2 : 3}, {"byte_fallback", false}}}};
  document.json["model"]["vocab"] = std::move(vocabulary);
  if (t5) document.extra = sentinel_names(config);
  return document;
}

TokenizerDocument llama_class_document(Json vocabulary, Json merges, const FolderConfig& config) {
  TokenizerDocument document;
  document.roles = named_roles({{SpecialToken::begin, "<s>"}, {SpecialToken::end, "</s>"}, {SpecialToken::unknown, "<unk>"}}, config);
  document.json = llama_steps(config, true);
  document.json["model"] = {{"type", "BPE"}, {"fuse_unk", true}, {"byte_fallback", true}};
  document.json["model"]["vocab"] = std::move(vocabulary);
  document.json["model"]["merges"] = std::move(merges);
  return document;
}

TokenizerDocument own_document(Json& file, const FolderConfig& config, const std::string& where) {
  Json& model = file["model"];
  Json vocabulary = std::exchange(model["vocab"], nullptr), merges = model.value("merges", Json::array());
  if (config.family == "bert") return wordpiece_document(std::move(vocabulary), config, where);
  if (config.family == "t5" || config.family == "xlm-roberta") return unigram_document(file, std::move(vocabulary), config);
  if (config.family == "llama") return llama_class_document(std::move(vocabulary), std::move(merges), config);
  return byte_level_document(std::move(vocabulary), std::move(merges), config, where);
}

/// What a step says in both places, but differently; "" for nothing.
std::string difference(const Json& file, const Json& own) {
  if (!file.is_object() || !own.is_object()) return file == own ? "" : "type";
  for (const auto& [key, value] : own.items())
    if (key != "trim_offsets" && file.contains(key) && file.at(key) != value) return key;
  return "";
}

void warn_of_differences(const Json& file, const Json& own, const FolderConfig& config, const std::string& where) {
  for (const char* part : {"normalizer", "pre_tokenizer"}) {
    const Json stated = file.value(part, Json()), used = own.value(part, Json());
    if (difference(stated, used).empty()) continue;
    log_warning("{}: its {} is not used: {} has one of its own, in transformers too: {}", where, part, config.stated,
                used.dump().substr(0, 200));
  }
}

}  // namespace

TokenizerDocument class_document(Json file, const FolderConfig& config, const std::string& where) {
  const std::string type = model_type_of(file, where);
  if (config.family.empty() || !config.own_steps) {
    TokenizerDocument document;
    const bool own_rows = config.family == "bert";
    document.json = std::move(file);
    document.roles = named_roles(own_rows ? bert_roles() : SpecialRoles(), config);
    document.rows = own_rows ? ClassRows::bert : ClassRows::none;
    return document;
  }
  if (type != model_of_family(config.family))
    data_error(
        "{}: model is of type '{}', but its tokenizer is a '{}', expected '{}' (a tokenizer_class of PreTrainedTokenizerFast takes "
        "the file as it is)",
        where, type, config.stated, model_of_family(config.family));
  TokenizerDocument document = own_document(file, config, where);
  warn_of_differences(file, document.json, config, where);
  document.takes_begin_end = false;
  if (document.rows == ClassRows::none) document.json["post_processor"] = file.value("post_processor", Json());
  document.json["truncation"] = file.value("truncation", Json());
  if (!config.decides_added) document.json["added_tokens"] = file.value("added_tokens", Json::array());
  return document;
}

}  // namespace tsrun::text
