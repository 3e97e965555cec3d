#include "text/conventions.h"
#include "text/json_fields.h"
#include "text/word_split.h"
#include "tsrun/base/error.h"

namespace tsrun::text {
namespace {

using Json = nlohmann::json;

std::string family_of(const Json& vocabulary, const FolderConfig& config, const std::string& where) {
  if (config.family == "gpt2" || config.family == "roberta" || config.family == "qwen2") return config.family;
  if (!config.stated.empty())
    data_error("{}: its tokenizer is a '{}', expected gpt2, roberta or qwen2 (any kind has a tokenizer.json)", where, config.stated);
  if (vocabulary.contains("<s>") && vocabulary.contains("</s>") && vocabulary.contains("<mask>")) return "roberta";
  if (vocabulary.contains("<|endoftext|>")) return "gpt2";
  data_error(
      "{}: found neither '<|endoftext|>' (GPT-2) nor '<s>', '</s>' and '<mask>' (RoBERTa), expected a tokenizer_config.json with the class",
      where);
}

SpecialRoles roles_of_family(const std::string& family) {
  const std::string end = "<|endoftext|>";
  if (family == "gpt2") return {{SpecialToken::begin, end}, {SpecialToken::end, end}, {SpecialToken::unknown, end}};
  if (family == "qwen2") return {{SpecialToken::end, end}, {SpecialToken::padding, end}};
  return {{SpecialToken::begin, "<s>"},      {SpecialToken::classifier, "<s>"}, {SpecialToken::end, "</s>"},
          {SpecialToken::separator, "</s>"}, {SpecialToken::unknown, "<unk>"},  {SpecialToken::padding, "<pad>"},
          {SpecialToken::mask, "<mask>"}};
}

Json pre_tokenizer_json(const std::string& family, bool prefix) {
  const bool split = family == "qwen2";
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"trim_offsets", true}, {"use_regex", !split}};
  if (!split) return bytes;
  const Json words = {
      {"type", "Split"}, {"pattern", {{"Regex", expression_of(WordPattern::qwen2)}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", {words, bytes}}};
}

}  // namespace

TokenizerDocument byte_level_document(Json vocabulary, Json merges, const FolderConfig& config, const std::string& where) {
  if (!vocabulary.is_object()) data_error("{}: found {}, expected an object of tokens and ids", where, vocabulary.type_name());
  const std::string family = family_of(vocabulary, config, where);
  const bool prefix = flag_field(config.options, "add_prefix_space", config.where("add_prefix_space")).value_or(false);
  TokenizerDocument document;
  document.roles = named_roles(roles_of_family(family), config);
  document.takes_begin_end = family != "roberta";
  document.rows = family == "roberta" ? ClassRows::roberta : ClassRows::none;
  document.json = {{"normalizer", family == "qwen2" ? Json{{"type", "NFC"}} : Json()},
                   {"pre_tokenizer", pre_tokenizer_json(family, prefix)},
                   {"decoder", {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}}};
  Json& model = document.json["model"];
  model["type"] = "BPE";
  model["vocab"] = std::move(vocabulary);
  model["merges"] = std::move(merges);
  return document;
}

}  // namespace tsrun::text
