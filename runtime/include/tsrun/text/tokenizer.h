#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// Ids of one row with its special tokens. `segments[i]` is 0 for the first text and 1 for the second (token_type_ids).
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<int64_t> segments;
};

/// Text to ids. Thread-safe after construction.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of one text without special tokens and without truncation. Text must be UTF-8; malformed bytes become U+FFFD.
  virtual std::vector<int64_t> tokenize(std::string_view text) const = 0;
  /// One row with special tokens. Longest-first truncation to `max_length` ids in all when given.
  virtual Encoding encode(std::string_view first, std::optional<std::string_view> second = {},
                          std::optional<int64_t> max_length = {}) const = 0;
  virtual int64_t vocabulary_size() const = 0;
  virtual std::string token(int64_t id) const = 0;
  virtual std::optional<int64_t> id(std::string_view token) const = 0;
  virtual std::optional<int64_t> mask_id() const = 0;
  virtual void save(const std::filesystem::path& folder) const = 0;  ///< the files that `load_tokenizer` reads
};

/// BERT's WordPiece as Hugging Face's BertTokenizer does it.
struct WordPieceOptions {
  bool lower_case = true;
  std::optional<bool> strip_accents = {};  ///< absent: as lower_case
  bool split_cjk = true;                   ///< tokenize_chinese_chars
  std::string unknown = "[UNK]", separator = "[SEP]", classifier = "[CLS]", padding = "[PAD]", mask = "[MASK]";
  std::string continuation = "##";  ///< marks a token that continues a word
  bool clean_text = true;           ///< drop control characters, turn white space into blanks
  int64_t max_characters_per_word = 100;
};
std::unique_ptr<Tokenizer> make_wordpiece(std::vector<std::string> vocabulary, WordPieceOptions options = {});

/// The tokenizer of a model folder: `tokenizer.json` of type WordPiece where there is one, else `vocab.txt`. What `tokenizer_config.json`
/// says (do_lower_case, strip_accents, tokenize_chinese_chars, special and added tokens) wins over both. Truncation and padding that a
/// tokenizer.json fixes are ignored. @throws Error(data) naming the file (and line).
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

}  // namespace tsrun
