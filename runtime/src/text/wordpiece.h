#pragma once

#include "text/subword_model.h"
#include "text/trie.h"

#include <optional>

namespace tsrun::text {

/// Definition of a WordPiece model. The index in `vocabulary` is the id; empty: no token with this id.
struct WordPieceParts {
  std::vector<std::string> vocabulary;
  std::string unknown = "[UNK]";
  std::string continuation = "##";  ///< prefix of tokens inside a word
  int64_t max_characters = 100;     ///< longer words are the unknown token
};

/// Greedy longest match from the left; a word without a complete match is one unknown token.
class WordPiece : public SubwordModel {
 public:
  /// @throws Error(data) "`where`: …" when the unknown token is not in the vocabulary.
  WordPiece(WordPieceParts parts, const std::string& where);
  void encode(std::string_view piece, std::vector<int64_t>& ids) const override;
  const std::vector<std::string>& vocabulary() const override { return parts_.vocabulary; }
  int32_t find(std::string_view token) const override;
  int32_t unknown() const override { return unknown_; }
  nlohmann::json json() const override;

 private:
  bool is_too_long(std::string_view word) const;

  WordPieceParts parts_;
  Trie tokens_;
  std::optional<Trie::Node> continuation_;  ///< node of "##"; absent when no token starts with it
  int32_t unknown_ = -1;
};

}  // namespace tsrun::text
