#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun {

/// Deltas folded into the weights of their model, and out again. The weights before are kept (they share memory with those that merging
/// left alone), so unmerging gives them back bit for bit instead of subtracting what was added.
class Merged {
 public:
  /// `weights` are the model's and the deltas'; several deltas are folded in one behind the other, as they act.
  /// @throws Error(user) with the reason, when one of them cannot be merged.
  Merged(const std::vector<std::shared_ptr<const Delta>>& deltas, Weights weights);

  /// Under the model's names; the deltas' tensors are still there and mean nothing any more.
  const Weights& weights() const { return merged_; }
  const Weights& unmerge() const { return before_; }
  /// Names of the weights that merging replaced.
  std::vector<std::string> changed() const;

 private:
  Weights before_, merged_;
};

/// The same weights, rounded to bfloat16 and back: what a model is that is shipped in that type.
Weights rounded_to_bfloat16(const Weights& weights);

}  // namespace tsrun
