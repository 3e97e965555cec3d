#pragma once

#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/row_template.h"
#include "text/token_names.h"
#include "text/trie.h"
#include "tsrun/text/tokenizer.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tsrun {

/// All that defines a WordPiece tokenizer. Place in `vocabulary` is the id; an empty entry is an id without a token.
struct WordPieceParts {
  std::vector<std::string> vocabulary;
  WordPieceOptions options;
  std::vector<AddedToken> added;  ///< beyond the special tokens; their ids may lie past the vocabulary
  bool clean_up = true;           ///< decoding leaves out the blanks before punctuation
};

class WordPiece : public Tokenizer {
 public:
  /// @throws Error(data) "`where`: …" when a token that rows need is not in the vocabulary.
  WordPiece(WordPieceParts parts, const std::string& where);

  std::vector<int64_t> tokenize(std::string_view text) const override;
  Encoding encode(std::string_view first, std::optional<std::string_view> second, std::optional<int64_t> max_length,
                  Truncation truncation) const override;
  std::string decode(std::span<const int64_t> ids, bool skip_special_tokens) const override;
  int64_t vocabulary_size() const override { return names_.size(); }
  std::string token(int64_t id) const override { return names_.name(id); }
  std::optional<int64_t> id(std::string_view token) const override;
  std::optional<int64_t> special_id(SpecialToken token) const override;
  void save(const std::filesystem::path& folder) const override;

 private:
  void add_special_tokens();
  void index_added_tokens();
  int64_t require(const std::string& token, const std::string& role, const std::string& where) const;
  void split_words(std::string_view text, std::vector<int64_t>& ids) const;
  void match_word(std::string_view word, int64_t characters, std::vector<int64_t>& ids) const;

  WordPieceParts parts_;
  TokenNames names_;
  Trie vocabulary_;
  std::optional<Trie::Node> continuation_;  ///< where "##" leads; absent when no token continues a word
  BertNormalizer normalizer_;
  AddedTokens raw_, normalized_;  ///< looked for before and after normalization
  int64_t unknown_ = 0;
  RowTemplate rows_;
  Decoder decoder_;
};

}  // namespace tsrun
