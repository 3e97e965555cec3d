#include "text/vocabulary.h"
#include "text/wordpiece.h"
#include "text/wordpiece_files.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/text/tokenizer.h"

#include <utility>

namespace tsrun {
namespace {

void apply_config(const std::filesystem::path& path, WordPieceParts& parts) {
  if (std::filesystem::exists(path)) apply_tokenizer_config(read_json(path), path.string(), parts);
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path json = folder / "tokenizer.json", plain = folder / "vocab.txt";
  const bool has_json = std::filesystem::exists(json);
  if (!has_json && !std::filesystem::exists(plain))
    data_error("{}: found no tokenizer, expected vocab.txt or tokenizer.json", folder.string());
  const std::filesystem::path& source = has_json ? json : plain;
  WordPieceParts parts;
  if (has_json) parts = parse_wordpiece(read_json(json), json.string());
  if (!has_json) parts.vocabulary = parse_vocabulary(read_text(plain), plain.string());
  apply_config(folder / "special_tokens_map.json", parts);
  apply_config(folder / "tokenizer_config.json", parts);
  return std::make_unique<WordPiece>(std::move(parts), source.string());
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
