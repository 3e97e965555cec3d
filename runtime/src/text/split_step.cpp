#include "text/split_step.h"

#include <utility>

namespace tsrun::text {
namespace {

struct Cut {
  size_t begin, end;
  bool matched;
};

/// The matches and what lies between them, in order; none is empty.
void cuts_of(std::string_view text, const std::vector<Match>& matches, bool invert, std::vector<Cut>& cuts) {
  size_t done = 0;
  for (const Match& match : matches) {
    if (match.begin > done) cuts.push_back({done, match.begin, invert});
    cuts.push_back({match.begin, match.end, !invert});
    done = match.end;
  }
  if (done < text.size()) cuts.push_back({done, text.size(), invert});
}

/// Whether `next` is one part with the cut before it.
bool joins_previous(SplitBehavior behavior, const Cut& previous, const Cut& next) {
  switch (behavior) {
    case SplitBehavior::merged_with_previous:
      return next.matched && !previous.matched;
    case SplitBehavior::merged_with_next:
      return previous.matched && !next.matched;
    case SplitBehavior::contiguous:
      return previous.matched == next.matched;
    default:
      return false;
  }
}

}  // namespace

void cut_piece(const Piece& piece, const std::vector<Match>& matches, SplitBehavior behavior, bool invert, std::vector<Piece>& out) {
  const bool covered = matches.size() == 1 && matches[0].begin == 0 && matches[0].end == piece.text.size();
  if (covered && behavior != SplitBehavior::removed) return out.push_back(piece);
  thread_local std::vector<Cut> cuts;
  cuts.clear();
  cuts_of(piece.text, matches, invert, cuts);
  for (size_t at = 0; at < cuts.size(); ++at) {
    const size_t begin = cuts[at].begin;
    if (behavior == SplitBehavior::removed && cuts[at].matched) continue;
    while (at + 1 < cuts.size() && joins_previous(behavior, cuts[at], cuts[at + 1])) ++at;
    out.push_back({piece.text.substr(begin, cuts[at].end - begin), piece.at_start && begin == 0});
  }
}

void SplitStep::operator()(Pieces& pieces) const {
  std::vector<Piece> out;
  std::vector<Match> matches;
  for (const Piece& piece : pieces.parts) {
    matches.clear();
    pattern_->find_all(piece.text, matches);
    cut_piece(piece, matches, behavior_, invert_, out);
  }
  pieces.parts = std::move(out);
}

}  // namespace tsrun::text
