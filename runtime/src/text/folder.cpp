#include "text/conventions.h"
#include "text/json_fields.h"
#include "text/model_files.h"
#include "text/pipeline.h"
#include "text/token_merger.h"
#include "text/vocabulary.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/text/tokenizer.h"

#include <utility>

namespace tsrun {

using Path = std::filesystem::path;

namespace text {
namespace {

/// Rows where add_bos_token or add_eos_token decides on them.
void set_begin_end(const FolderConfig& config, TokenizerDocument& document) {
  const auto begin = flag_field(config.options, "add_bos_token", config.where("add_bos_token"));
  const auto end = flag_field(config.options, "add_eos_token", config.where("add_eos_token"));
  if (!begin && !end) return;
  const auto named = [&](SpecialToken role, bool wanted) {
    const auto token = document.roles.find(role);
    if (!wanted || token == document.roles.end()) return NamedId{};
    return NamedId{token->second, document_id(document.json, token->second).value_or(-1)};
  };
  document.json["post_processor"] =
      begin_end_rows(named(SpecialToken::begin, begin.value_or(false)), named(SpecialToken::end, end.value_or(false)), 1);
}

std::unique_ptr<Tokenizer> load_pipeline(TokenizerDocument document, const FolderConfig& config, const Path& source) {
  const std::string where = source.string();
  merge_tokens(config, document, where);
  if (document.rows != ClassRows::none) document.json["post_processor"] = class_rows(document, where);
  if (document.takes_begin_end) set_begin_end(config, document);
  if (model_type_of(document.json, where) == "WordPiece") infer_bert_roles(document);
  document.settings = read_settings(config, document.json);
  return std::make_unique<Pipeline>(std::move(document), where);
}

std::unique_ptr<Tokenizer> load_tokenizer_json(const Path& folder, FolderConfig config) {
  const Path path = folder / "tokenizer.json";
  return load_pipeline(class_document(read_json(path), config, path.string()), config, path);
}

/// A model of any type may have BERT's vocabulary, unless its class says otherwise.
std::unique_ptr<Tokenizer> load_vocab_txt(const Path& folder, FolderConfig config) {
  const Path path = folder / "vocab.txt";
  if (config.names_class && config.family != "bert")
    data_error("{}: its tokenizer is a '{}', expected one of BERT's (any kind has a tokenizer.json)", path.string(), config.stated);
  config.family = "bert";
  nlohmann::json vocabulary = vocabulary_json(parse_vocabulary(read_text(path), path.string()));
  return load_pipeline(wordpiece_document(std::move(vocabulary), config, path.string()), config, path);
}

std::unique_ptr<Tokenizer> load_vocab_json(const Path& folder, FolderConfig config) {
  const Path path = folder / "vocab.json", merges = folder / "merges.txt";
  if (!std::filesystem::exists(merges)) data_error("{}: found vocab.json without merges.txt, expected both", folder.string());
  return load_pipeline(byte_level_document(read_json(path), parse_merges(read_text(merges), merges.string()), config, path.string()),
                       config, path);
}

std::unique_ptr<Tokenizer> load_sentencepiece(const Path& folder, FolderConfig config) {
  const Path path = folder / (std::filesystem::exists(folder / "spiece.model") ? "spiece.model" : "tokenizer.model");
  return load_pipeline(sentencepiece_document(parse_sentencepiece(read_text(path), path.string()), config, path.string()), config, path);
}

/// Which file a folder's tokenizer is read from: the first that is there and that its family has.
struct TokenizerSource {
  const char* file;
  std::string_view families;  ///< "": all
  std::unique_ptr<Tokenizer> (*load)(const Path& folder, FolderConfig config);
};
constexpr TokenizerSource kSources[] = {{"tokenizer.json", "", load_tokenizer_json},
                                        {"vocab.txt", "bert", load_vocab_txt},
                                        {"vocab.json", "gpt2 roberta qwen2", load_vocab_json},
                                        {"spiece.model", "t5 llama", load_sentencepiece},
                                        {"tokenizer.model", "llama t5", load_sentencepiece}};

const TokenizerSource* source_of(const Path& folder, const std::string& family) {
  const TokenizerSource* first = nullptr;
  for (const TokenizerSource& source : kSources) {
    if (!std::filesystem::exists(folder / source.file)) continue;
    if (!first) first = &source;
    if (source.families.empty() || (!family.empty() && source.families.find(family) != std::string_view::npos)) return &source;
  }
  return first;
}

}  // namespace

}  // namespace text

std::unique_ptr<Tokenizer> load_tokenizer(const Path& folder) {
  const text::FolderConfig config = text::read_folder_config(folder);
  const text::TokenizerSource* source = text::source_of(folder, config.family);
  if (!source)
    data_error("{}: found no tokenizer, expected tokenizer.json, vocab.txt, vocab.json and merges.txt, spiece.model or tokenizer.model",
               folder.string());
  return source->load(folder, config);
}

std::vector<Path> tokenizer_files(const Path& folder) {
  std::vector<Path> files;
  for (const char* name :
       {"tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "added_tokens.json",
        "special_tokens_map.json", "tokenizer_config.json", "config.json", "generation_config.json"})
    if (std::filesystem::exists(folder / name)) files.push_back(folder / name);
  return files;
}

}  // namespace tsrun
