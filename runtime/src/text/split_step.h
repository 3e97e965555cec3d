#pragma once

#include "text/pattern.h"
#include "text/pre_tokenizer.h"

namespace tsrun::text {

/// Treatment of the matches that split a piece.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

class SplitStep : public PreTokenizer {
 public:
  SplitStep(std::unique_ptr<Pattern> pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void operator()(Pieces& pieces) const override;

 private:
  std::unique_ptr<Pattern> pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

/// Appends the parts of `piece`, cut at `matches`.
void cut_piece(const Piece& piece, const std::vector<Match>& matches, SplitBehavior behavior, bool invert, std::vector<Piece>& out);

}  // namespace tsrun::text
