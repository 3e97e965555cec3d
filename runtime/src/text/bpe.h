#pragma once

#include "text/byte_fallback.h"
#include "text/pair_table.h"
#include "text/subword_model.h"
#include "text/word_table.h"

#include <array>
#include <optional>
#include <utility>

namespace tsrun::text {

/// Definition of a byte-pair encoding. Merges are pairs of ids by rank.
struct BpeParts {
  std::vector<std::string> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;
  std::string unknown;         ///< "": characters without a token are left out
  bool fuse_unknown = false;   ///< adjacent unknown characters are one unknown token
  bool byte_fallback = false;  ///< a character without a token becomes its bytes, "<0x00>" to "<0xFF>"
  bool ignore_merges = false;  ///< a piece that is a token stays whole
  bool bytes = false;          ///< pieces are bytes and the vocabulary is written in the byte alphabet
  std::string prefix;          ///< continuing_subword_prefix, before all but the first character of a piece
  std::string suffix;          ///< end_of_word_suffix, behind the last one
};

/// Byte-pair encoding: applies the merge of lowest rank first, the leftmost of equals.
class Bpe : public SubwordModel {
 public:
  /// @throws Error(data) "`where`: …" for a merge whose parts or result are not in the vocabulary.
  Bpe(BpeParts parts, const std::string& where);
  void encode(std::string_view piece, std::vector<int64_t>& ids) const override;
  const std::vector<std::string>& vocabulary() const override { return parts_.vocabulary; }
  int32_t find(std::string_view token) const override { return tokens_.find(token); }
  int32_t unknown() const override { return unknown_; }
  nlohmann::json json() const override;

 private:
  using Symbols = std::vector<int32_t>;
  void index_merges(const std::string& where);
  void index_bytes();
  void index_words();
  void find_boundary();
  size_t segment_end(std::string_view piece, size_t from) const;
  void encode_segment(std::string_view segment, std::vector<int64_t>& ids) const;
  void first_symbols(std::string_view segment, Symbols& symbols) const;
  bool has_affixes() const { return !parts_.prefix.empty() || !parts_.suffix.empty(); }
  int32_t symbol(std::string_view segment, size_t begin, size_t end) const;
  std::optional<std::string> piece_of(const std::string& token) const;

  BpeParts parts_;
  WordTable tokens_;  ///< as written -> id
  WordTable words_;   ///< pieces that become one token -> id
  PairTable merges_;
  std::array<int32_t, 256> bytes_{};  ///< first symbols where pieces are bytes; -1: none
  ByteTokens fallback_;
  int32_t unknown_ = -1;
  bool cut_at_boundary_ = false;  ///< no merge joins anything to a word boundary (U+2581) behind it
};

}  // namespace tsrun::text
