#pragma once

#include "tsrun/tune/step_events.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>

namespace tsrun::adaptive_gradient_gating {

/// How often each word was a target in the last steps, the current one included as far as it has come.
class RecentWords {
 public:
  RecentWords(int64_t vocabulary, int64_t steps);
  void begin_step();                                    ///< forgets what is `steps` steps old
  void add(const at::Tensor& targets);                  ///< int64, of one micro-batch
  const at::Tensor& counts() const { return counts_; }  ///< int64 [vocabulary], on the host

  PluginState state() const;
  void restore(const PluginState& state);

 private:
  /// The words of a step once each, [2, words]: ids, then counts.
  std::deque<at::Tensor> steps_;
  size_t most_;
  at::Tensor counts_;
};

}  // namespace tsrun::adaptive_gradient_gating
