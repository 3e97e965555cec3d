#pragma once

#include "tsrun/base/random.h"
#include "tsrun/data/batch.h"
#include "tsrun/text/tokenizer.h"

#include <limits>
#include <set>
#include <vector>

namespace tsrun::training {

/// BERT's masking (Devlin et al., 2019, section 3.1). Which tokens of a row are hidden is a function of (key, epoch, row) alone.
class Masking {
 public:
  /// `vocabulary`: the model's vocab_size, which ids that are drawn stay below. @throws Error(data) without a mask token below it
  Masking(const Tokenizer& tokenizer, double share, Key key, int64_t vocabulary = std::numeric_limits<int64_t>::max());
  /// Replaces ids in `rows` and returns the targets, one a token: the id that stood there, or -100. At least one token of a row is hidden.
  std::vector<int64_t> apply(PackedRows& rows, int64_t epoch) const;

 private:
  void hide(PackedRows& rows, size_t token, Stream& draw, std::vector<int64_t>& targets) const;

  int64_t mask_ = 0, vocabulary_ = 0;
  std::set<int64_t> special_;  ///< never hidden: what encloses every row
  double share_;
  Key key_;
};

}  // namespace tsrun::training
