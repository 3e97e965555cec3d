#pragma once

#include "tsrun/base/random.h"
#include "tsrun/data/batch.h"
#include "tsrun/text/tokenizer.h"

#include <vector>

namespace tsrun::training {

/// T5's denoising (Raffel et al., 2020, section 3.1.4): spans of a text are each replaced by a sentinel, and the decoder writes the
/// sentinels with what they stand for. Which tokens are hidden is a function of (key, epoch, row) alone.
class SpanCorruption {
 public:
  /// `share` of the tokens are hidden, in spans of `mean_span` on average. @throws Error(data) when the tokenizer has no sentinels
  /// `<extra_id_0>`, … or no end token.
  SpanCorruption(const Tokenizer& tokenizer, double share, double mean_span, Key key);

  /// A row as the model reads and writes it. `text` has no special tokens and at least two tokens.
  struct Row {
    std::vector<int64_t> input, target;  ///< both end in the end token
  };
  Row apply(const std::vector<int64_t>& text, int64_t row, int64_t epoch) const;

  int64_t end() const { return end_; }

 private:
  std::vector<int64_t> sentinels_;
  int64_t end_ = 0;
  double share_, mean_span_;
  Key key_;
};

}  // namespace tsrun::training
