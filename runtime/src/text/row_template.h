#pragma once

#include "tsrun/text/tokenizer.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace tsrun::text {

/// Template of rows of one text or a pair: "[CLS] A [SEP] B [SEP]" with a segment for each piece.
struct RowTemplate {
  enum class Source { special, first, second };
  struct Piece {
    Source source = Source::special;
    int64_t id = 0;  ///< of a special token
    int64_t segment = 0;
  };
  std::vector<Piece> single, pair;
  bool cut_left = false;  ///< long texts are cut at their beginning

  void drop_segments();  ///< makes every segment 0

  static RowTemplate bert(int64_t classifier, int64_t separator);
  static int64_t specials(const std::vector<Piece>& pieces);
};

/// Lengths of texts of `first` and `second` ids after truncation to `room` ids. The longer text is cut first; once both are cut, an odd id
/// goes to the longer one, or to the second when they are equal.
std::pair<int64_t, int64_t> longest_first(int64_t first, int64_t second, int64_t room);

/// Fills the template for one text, or for two when `second` is not null.
/// @throws Error(user) when the special tokens, or these and a second text that may not be cut, exceed `max_length`.
Encoding fill(const RowTemplate& rows, const std::vector<int64_t>& first, const std::vector<int64_t>* second,
              std::optional<int64_t> max_length, Truncation truncation = Truncation::longest_first);

}  // namespace tsrun::text
