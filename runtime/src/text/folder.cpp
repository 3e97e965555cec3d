#include "text/json_fields.h"
#include "text/model_files.h"
#include "text/pipeline.h"
#include "text/tokenizer_config.h"
#include "text/vocabulary.h"
#include "text/wordpiece.h"
#include "text/wordpiece_files.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/text/tokenizer.h"

#include <utility>

namespace tsrun {
namespace {

using Path = std::filesystem::path;

std::unique_ptr<Tokenizer> load_wordpiece(WordPieceParts parts, const Path& folder, const Path& source) {
  for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
    const Path path = folder / name;
    if (std::filesystem::exists(path)) apply_tokenizer_config(read_json(path), path.string(), parts);
  }
  return std::make_unique<WordPiece>(std::move(parts), source.string());
}

std::unique_ptr<Tokenizer> load_pipeline(TokenizerDocument document, const FolderConfig& config, const Path& source) {
  apply_folder_config(config, document, source.string());
  return std::make_unique<Pipeline>(std::move(document.json), std::move(document.roles), source.string());
}

std::unique_ptr<Tokenizer> load_tokenizer_json(const Path& folder) {
  const Path path = folder / "tokenizer.json";
  nlohmann::json tokenizer = read_json(path);
  if (model_type_of(tokenizer, path.string()) == "WordPiece")
    return load_wordpiece(parse_wordpiece(tokenizer, path.string()), folder, path);
  return load_pipeline({std::move(tokenizer), {}, false}, read_folder_config(folder), path);
}

std::unique_ptr<Tokenizer> load_vocab_txt(const Path& folder) {
  const Path path = folder / "vocab.txt";
  WordPieceParts parts;
  parts.vocabulary = parse_vocabulary(read_text(path), path.string());
  return load_wordpiece(std::move(parts), folder, path);
}

std::unique_ptr<Tokenizer> load_vocab_json(const Path& folder) {
  const Path path = folder / "vocab.json", merges = folder / "merges.txt";
  if (!std::filesystem::exists(merges)) data_error("{}: found vocab.json without merges.txt, expected both", folder.string());
  const FolderConfig config = read_folder_config(folder);
  return load_pipeline(byte_level_document(read_json(path), parse_merges(read_text(merges), merges.string()), config, path.string()),
                       config, path);
}

std::unique_ptr<Tokenizer> load_sentencepiece(const Path& folder) {
  const Path path = folder / (std::filesystem::exists(folder / "spiece.model") ? "spiece.model" : "tokenizer.model");
  const FolderConfig config = read_folder_config(folder);
  return load_pipeline(sentencepiece_document(parse_sentencepiece(read_text(path), path.string()), config, path.string()), config, path);
}

/// Which file a folder's tokenizer is read from: the first that is there.
struct TokenizerSource {
  const char* file;
  std::unique_ptr<Tokenizer> (*load)(const Path& folder);
};
constexpr TokenizerSource kSources[] = {{"tokenizer.json", load_tokenizer_json},
                                        {"vocab.txt", load_vocab_txt},
                                        {"vocab.json", load_vocab_json},
                                        {"spiece.model", load_sentencepiece},
                                        {"tokenizer.model", load_sentencepiece}};

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const Path& folder) {
  for (const TokenizerSource& source : kSources)
    if (std::filesystem::exists(folder / source.file)) return source.load(folder);
  data_error("{}: found no tokenizer, expected tokenizer.json, vocab.txt, vocab.json and merges.txt, spiece.model or tokenizer.model",
             folder.string());
}

std::vector<Path> tokenizer_files(const Path& folder) {
  std::vector<Path> files;
  for (const char* name :
       {"tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "added_tokens.json",
        "special_tokens_map.json", "tokenizer_config.json", "config.json", "generation_config.json"})
    if (std::filesystem::exists(folder / name)) files.push_back(folder / name);
  return files;
}

void WordPiece::save(const std::filesystem::path& folder) const {
  std::filesystem::create_directories(folder);
  std::string lines;
  for (const std::string& token : parts_.vocabulary) lines += token + '\n';
  write_durable(folder / "vocab.txt", lines);
  write_durable(folder / "tokenizer.json", wordpiece_json(parts_).dump(1) + '\n');
  write_durable(folder / "tokenizer_config.json", wordpiece_config(parts_).dump(2) + '\n');
}

}  // namespace tsrun
