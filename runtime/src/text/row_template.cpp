#include "text/row_template.h"

#include "tsrun/base/error.h"

#include <algorithm>

namespace tsrun::text {

RowTemplate RowTemplate::bert(int64_t classifier, int64_t separator) {
  RowTemplate rows;
  rows.single = {{Source::special, classifier, 0}, {Source::first, 0, 0}, {Source::special, separator, 0}};
  rows.pair = rows.single;
  rows.pair.push_back({Source::second, 0, 1});
  rows.pair.push_back({Source::special, separator, 1});
  return rows;
}

void RowTemplate::drop_segments() {
  for (std::vector<Piece>* pieces : {&single, &pair})
    for (Piece& piece : *pieces) piece.segment = 0;
}

int64_t RowTemplate::specials(const std::vector<Piece>& pieces) {
  return std::count_if(pieces.begin(), pieces.end(), [](const Piece& piece) { return piece.source == Source::special; });
}

std::pair<int64_t, int64_t> longest_first(int64_t first, int64_t second, int64_t room) {
  if (first + second <= room) return {first, second};
  const bool swapped = first > second;
  int64_t shorter = std::min(first, second);
  int64_t longer = std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = room - shorter;
  }
  return swapped ? std::pair{longer, shorter} : std::pair{shorter, longer};
}

Encoding fill(const RowTemplate& rows, const std::vector<int64_t>& first, const std::vector<int64_t>* second,
              std::optional<int64_t> max_length, Truncation truncation) {
  const std::vector<RowTemplate::Piece>& pieces = second ? rows.pair : rows.single;
  const int64_t specials = RowTemplate::specials(pieces);
  auto keep = std::pair{static_cast<int64_t>(first.size()), second ? static_cast<int64_t>(second->size()) : 0};
  if (max_length && *max_length < specials) {
    user_error("max_length is {}, expected at least {} (the special tokens of a row)", *max_length, specials);
  }
  const bool only_first = !second || truncation == Truncation::only_first;
  if (max_length && only_first && *max_length < specials + keep.second) {
    user_error("max_length is {}, expected at least {} (the special tokens of a row and the second text, which is not cut)", *max_length,
               specials + keep.second);
  }
  if (max_length && !only_first) keep = longest_first(keep.first, keep.second, *max_length - specials);
  if (max_length && only_first) keep.first = std::min(keep.first, *max_length - specials - keep.second);

  Encoding row;
  row.ids.reserve(static_cast<size_t>(keep.first + keep.second + specials));
  for (const RowTemplate::Piece& piece : pieces) {
    if (piece.source == RowTemplate::Source::special) row.ids.push_back(piece.id);
    const auto take = [&](const std::vector<int64_t>& ids, int64_t count) {
      const auto begin = rows.cut_left ? ids.end() - count : ids.begin();
      row.ids.insert(row.ids.end(), begin, begin + count);
    };
    if (piece.source == RowTemplate::Source::first) take(first, keep.first);
    if (piece.source == RowTemplate::Source::second && second) take(*second, keep.second);
    row.segments.resize(row.ids.size(), piece.segment);
  }
  return row;
}

}  // namespace tsrun::text
