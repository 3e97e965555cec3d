#pragma once

#include "text/trie.h"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// A token that is found in the text before the model sees it: "[SEP]" written by a person is the separator.
struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool single_word = false;  ///< only where no letter or digit touches it
  bool strip_left = false;   ///< swallows the white space before it
  bool strip_right = false;  ///< swallows the white space after it
  bool normalized = false;   ///< looked for after normalization, in its own normalized form
  bool special = false;      ///< left out of decoded text where that is asked for
  bool ignored = false;      ///< text where it is found
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
    size_t begin = 0, end = 0;  ///< with the white space that it swallows
    size_t scanned = 0;         ///< where the search for the next goes on
    int32_t id = -1;
  };
  /// The first token from `found.scanned` on; text before `done` has been given out.
  bool next(std::string_view text, size_t done, Found& found) const;

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> starts_{};  ///< bytes that some token starts with
  Trie trie_;                       ///< content -> index in tokens_
};

}  // namespace tsrun
