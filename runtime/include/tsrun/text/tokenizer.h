#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// Ids of one row with its special tokens. `segments` are token_type_ids: 0 for the first text and 1 for the second where the tokenizer has
/// them.
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<int64_t> segments;
};

/// Truncation of long rows.
enum class Truncation {
  longest_first,  ///< at the end of the longer text, until both are equally long
  only_first,     ///< at the end of the first text
};

enum class SpecialToken { unknown, begin, end, separator, classifier, padding, mask };

/// Text to ids and back. Thread-safe after construction.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of one text without special tokens and without truncation. Text must be UTF-8; malformed bytes become U+FFFD.
  virtual std::vector<int64_t> tokenize(std::string_view text) const = 0;
  /// One row with special tokens, cut to `max_length` ids in all when given.
  /// @throws Error(user) when the special tokens, or these and a second text that may not be cut, are longer.
  virtual Encoding encode(std::string_view first, std::optional<std::string_view> second = {}, std::optional<int64_t> max_length = {},
                          Truncation truncation = Truncation::longest_first) const = 0;
  /// Decoded text of `ids`, well-formed UTF-8. Unknown ids are left out.
  virtual std::string decode(std::span<const int64_t> ids, bool skip_special_tokens) const = 0;
  virtual int64_t vocabulary_size() const = 0;
  virtual std::string token(int64_t id) const = 0;
  virtual std::optional<int64_t> id(std::string_view token) const = 0;
  virtual std::optional<int64_t> special_id(SpecialToken token) const = 0;
  std::optional<int64_t> mask_id() const { return special_id(SpecialToken::mask); }
  virtual void save(const std::filesystem::path& folder) const = 0;  ///< the files for `load_tokenizer`
};

/// Rows of many texts, or pairs when `second` is not empty, in parallel. @throws what `encode` throws.
std::vector<Encoding> encode_batch(const Tokenizer& tokenizer, std::span<const std::string> first, std::span<const std::string> second = {},
                                   std::optional<int64_t> max_length = {}, Truncation truncation = Truncation::longest_first);

/// Options of BERT's WordPiece, as Hugging Face's BertTokenizer.
struct WordPieceOptions {
  bool lower_case = true;
  std::optional<bool> strip_accents = {};  ///< absent: lower_case
  bool split_cjk = true;                   ///< tokenize_chinese_chars
  std::string unknown = "[UNK]", separator = "[SEP]", classifier = "[CLS]", padding = "[PAD]", mask = "[MASK]";
  std::string continuation = "##";  ///< prefix of tokens inside a word
  bool clean_text = true;           ///< drops control characters and makes white space blanks
  int64_t max_characters_per_word = 100;
};
std::unique_ptr<Tokenizer> make_wordpiece(std::vector<std::string> vocabulary, WordPieceOptions options = {});

/// The tokenizer of a model folder: of its `tokenizer.json` where there is one, else of `vocab.txt` (WordPiece), `vocab.json` and
/// `merges.txt` (GPT-2, RoBERTa, Qwen2), `spiece.model` or `tokenizer.model` (T5, Llama 2), with the class, the options and the added
/// tokens that `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and `config.json` state, as transformers reads them
/// (docs/formats.md). @throws Error(data) naming the file (and line), and a component or option that is not supported.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

/// Existing files of a model folder that decide on ids or on the end of generated texts, in a fixed order: vocabularies, added and special
/// tokens, configurations. Stage keys hold their contents. Looks at names only.
std::vector<std::filesystem::path> tokenizer_files(const std::filesystem::path& folder);

}  // namespace tsrun
