#include "recent_words.h"

#include "tsrun/base/operators.h"

namespace tsrun::adaptive_gradient_gating {

RecentWords::RecentWords(int64_t vocabulary, int64_t steps)
    : most_(static_cast<size_t>(steps)), counts_(at::zeros({vocabulary}, at::kLong)) {}

void RecentWords::begin_step() {
  steps_.push_back(at::zeros({2, 0}, at::kLong));
  if (steps_.size() <= most_) return;
  counts_.index_add_(0, steps_.front()[0], steps_.front()[1].neg());
  steps_.pop_front();
}

void RecentWords::add(const at::Tensor& targets) {
  if (steps_.empty()) begin_step();
  const at::Tensor in_batch = at::bincount(targets.cpu(), {}, counts_.size(0)), words = in_batch.nonzero().flatten();
  const at::Tensor found = in_batch.index_select(0, words);
  counts_.index_add_(0, words, found);
  steps_.back() = at::cat({steps_.back(), at::stack({words, found})}, 1);
}

PluginState RecentWords::state() const {
  if (steps_.empty()) return {};
  std::vector<int64_t> lengths;
  for (const at::Tensor& step : steps_) lengths.push_back(step.size(1));
  return {{"lengths", at::tensor(lengths, at::kLong)},
          {"words", at::cat(std::vector<at::Tensor>(steps_.begin(), steps_.end()), 1).to(at::kInt)}};
}

void RecentWords::restore(const PluginState& state) {
  steps_.clear();
  counts_.zero_();
  if (!state.contains("words")) return;
  const at::Tensor lengths = state.at("lengths").cpu(), words = state.at("words").cpu().to(at::kLong);
  int64_t begin = 0;
  for (int64_t i = 0; i < lengths.size(0); ++i) {
    const int64_t length = lengths.const_data_ptr<int64_t>()[i];
    steps_.push_back(words.narrow(1, begin, length).contiguous());
    counts_.index_add_(0, steps_.back()[0], steps_.back()[1]);
    begin += length;
  }
}

}  // namespace tsrun::adaptive_gradient_gating
