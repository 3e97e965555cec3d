#pragma once

#include "text/trie.h"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::text {

/// A token that is matched in the text before the model: a literal "[SEP]" is the separator.
struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool single_word = false;  ///< matches only without adjacent letters and digits
  bool strip_left = false;   ///< includes white space before it
  bool strip_right = false;  ///< includes white space after it
  bool normalized = false;   ///< matched after normalization, in its own normalized form
  bool special = false;      ///< skipped in decoded text with skip_special_tokens
  bool ignored = false;      ///< not matched: stays text
};

/// Cuts a text at its added tokens: leftmost first, longest first, not overlapping.
class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);
  bool empty() const { return tokens_.empty(); }

  /// Calls `text_piece(std::string_view)` and `token(int32_t id)` in order of appearance; pieces are not empty. White space that one token
  /// swallows may be, or be part of, the next token.
  template <class TextPiece, class Token>
  void split(std::string_view text, TextPiece&& text_piece, Token&& token) const {
    size_t done = 0;
    for (Found found; next(text, done, found); done = found.end) {
      if (found.begin > done) text_piece(text.substr(done, found.begin - done));
      if (found.begin < found.end) token(found.id);  // else another has swallowed it all
    }
    if (done < text.size()) text_piece(text.substr(done));
  }

 private:
  struct Found {
    size_t begin = 0, end = 0;  ///< with its white space
    size_t scanned = 0;         ///< end of the searched text
    int32_t id = -1;
  };
  /// The first token from `found.scanned` on; text before `done` has been given out.
  bool next(std::string_view text, size_t done, Found& found) const;

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> starts_{};  ///< first bytes of tokens
  Trie trie_;                       ///< content -> index in tokens_
};

}  // namespace tsrun::text
