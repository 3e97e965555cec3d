#include "text/base64.h"
#include "text/conventions.h"
#include "text/json_fields.h"
#include "text/sentencepiece_merges.h"
#include "tsrun/base/error.h"

#include <algorithm>

namespace tsrun::text {
namespace {

using Json = nlohmann::json;
using Kind = SentencePieceFile::Kind;

constexpr const char* kBlank = "\u2581";

/// Special tokens and those that a user defined are found in the text before the model sees it.
Json added_pieces(const SentencePieceFile& file) {
  Json added = Json::array();
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    const auto& piece = file.pieces[id];
    if (piece.kind != Kind::control && piece.kind != Kind::unknown && piece.kind != Kind::user_defined) continue;
    added.push_back(special_entry(piece.text, static_cast<int64_t>(id)));
    added.back()["special"] = piece.kind != Kind::user_defined;
  }
  return added;
}

int64_t piece_id(const SentencePieceFile& file, const std::string& text, const std::string& where) {
  for (size_t id = 0; id < file.pieces.size(); ++id)
    if (file.pieces[id].text == text) return static_cast<int64_t>(id);
  data_error("{}: found no piece '{}' among {}, expected one", where, text, file.pieces.size());
}

const SentencePieceFile::Piece& unknown_piece(const SentencePieceFile& file, const std::string& where) {
  const auto found = std::find_if(file.pieces.begin(), file.pieces.end(),
                                  [](const SentencePieceFile::Piece& piece) { return piece.kind == Kind::unknown; });
  if (found == file.pieces.end()) data_error("{}: found no unknown piece among {}, expected one", where, file.pieces.size());
  return *found;
}

void refuse_unless(bool holds, const char* option, const std::string& where) {
  if (!holds) data_error("{}: {}, which is not supported", where, option);
}

SpecialRoles piece_roles(const SentencePieceFile& file, const FolderConfig& config) {
  SpecialRoles roles;
  for (const auto& piece : file.pieces) {
    if (piece.kind == Kind::unknown) roles[SpecialToken::unknown] = piece.text;
    if (piece.kind != Kind::control) continue;
    if (piece.text == "<s>") roles[SpecialToken::begin] = piece.text;
    if (piece.text == "</s>") roles[SpecialToken::end] = piece.text;
    if (piece.text == "<pad>") roles[SpecialToken::padding] = piece.text;
  }
  return named_roles(std::move(roles), config);
}

/// T5 appends its sentinels, the last one first.
Json t5_document(const SentencePieceFile& file, const FolderConfig& config, const SpecialRoles& roles, const std::string& where) {
  refuse_unless(file.prefix_space && file.single_spaces, "add_dummy_prefix or remove_extra_whitespaces is off", where);
  Json vocabulary = Json::array(), added = added_pieces(file);
  for (const auto& piece : file.pieces) vocabulary.push_back({piece.text, static_cast<double>(piece.score)});
  std::vector<std::string> sentinels = sentinel_names(config);
  std::reverse(sentinels.begin(), sentinels.end());
  for (const std::string& token : sentinels) {
    added.push_back(special_entry(token, static_cast<int64_t>(vocabulary.size())));
    vocabulary.push_back({token, 0.0});
  }
  const auto end = roles.find(SpecialToken::end);
  const std::string last = end == roles.end() ? "</s>" : end->second;
  const Json metaspace = {{"type", "Metaspace"}, {"replacement", kBlank}, {"prepend_scheme", "always"}, {"split", true}};
  const Json charsmap = file.charsmap.empty() ? Json() : Json{{"type", "Precompiled"}, {"precompiled_charsmap", to_base64(file.charsmap)}};
  return {{"added_tokens", std::move(added)},
          {"normalizer", charsmap},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {{{"type", "WhitespaceSplit"}}, metaspace}}}},
          {"post_processor", begin_end_rows({}, {last, piece_id(file, last, where)}, 0)},
          {"decoder", metaspace},
          {"model",
           {{"type", "Unigram"},
            {"unk_id", piece_id(file, unknown_piece(file, where).text, where)},
            {"byte_fallback", file.byte_fallback},
            {"vocab", std::move(vocabulary)}}}};
}

/// Llama 2 puts one blank before a text, and spells what it does not know in bytes.
Json llama_document(const SentencePieceFile& file, const FolderConfig& config, const SpecialRoles& roles, const std::string& where) {
  refuse_unless(file.charsmap.empty() && !file.single_spaces, "a BPE model has a charsmap or remove_extra_whitespaces is on", where);
  const auto option = [&](const char* key, bool fallback) { return flag_field(config.options, key, config.where(key)).value_or(fallback); };
  Json vocabulary = Json::object();
  for (size_t id = 0; id < file.pieces.size(); ++id)
    if (!vocabulary.emplace(file.pieces[id].text, id).second) data_error("{}: piece '{}' is there twice", where, file.pieces[id].text);
  const auto name = [&](SpecialToken role, bool wanted) { return wanted && roles.contains(role) ? roles.at(role) : std::string(); };
  const std::string begin = name(SpecialToken::begin, option("add_bos_token", true)),
                    end = name(SpecialToken::end, option("add_eos_token", false));
  const auto id = [&](const std::string& token) { return token.empty() ? 0 : piece_id(file, token, where); };
  Json json = llama_steps(config, file.prefix_space);
  json["added_tokens"] = added_pieces(file);
  json["post_processor"] = begin_end_rows({begin, id(begin)}, {end, id(end)}, 1);
  json["model"] = {{"type", "BPE"},
                   {"unk_token", unknown_piece(file, where).text},
                   {"fuse_unk", true},
                   {"byte_fallback", file.byte_fallback},
                   {"vocab", std::move(vocabulary)},
                   {"merges", sentencepiece_merges(file)}};
  return json;
}

}  // namespace

Json llama_steps(const FolderConfig& config, bool prefix) {
  const auto option = [&](const char* key, bool fallback) { return flag_field(config.options, key, config.where(key)).value_or(fallback); };
  prefix = option("add_prefix_space", prefix);
  const char* scheme = !prefix ? "never" : option("legacy", false) ? "always" : "first";
  Json decoders = {
      {{"type", "Replace"}, {"pattern", {{"String", kBlank}}}, {"content", " "}}, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", kBlank}, {"prepend_scheme", scheme}, {"split", false}}},
          {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}}};
}

std::vector<std::string> sentinel_names(const FolderConfig& config) {
  const int64_t count = integer_field(config.options, "extra_ids", config.where()).value_or(100);
  if (count < 0 || count > 100'000) data_error("{}: extra_ids is {}, expected 0 to 100000", config.where(), count);
  std::vector<std::string> names;
  for (int64_t at = 0; at < count; ++at) names.push_back(fmt::format("<extra_id_{}>", at));
  return names;
}

TokenizerDocument sentencepiece_document(const SentencePieceFile& file, const FolderConfig& config, const std::string& where) {
  using Model = SentencePieceFile::Model;
  const char* expected = file.model == Model::unigram ? "t5" : "llama";
  refuse_unless(file.model == Model::unigram || file.model == Model::bpe, "model_type is neither UNIGRAM nor BPE", where);
  refuse_unless(!file.suffix_space, "treat_whitespace_as_suffix is on", where);
  refuse_unless(file.escape_whitespace, "escape_whitespaces is off", where);
  refuse_unless(file.denormal_charsmap.empty(), "a denormalizer is there", where);
  if (!config.stated.empty() && config.family != expected)
    data_error("{}: its tokenizer is a '{}', expected {} (any kind has a tokenizer.json)", where, config.stated, expected);
  SpecialRoles roles = piece_roles(file, config);
  Json json = file.model == Model::unigram ? t5_document(file, config, roles, where) : llama_document(file, config, roles, where);
  TokenizerDocument document;
  document.json = std::move(json);
  document.roles = std::move(roles);
  return document;
}

}  // namespace tsrun::text
