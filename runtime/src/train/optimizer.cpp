#include "tsrun/train/optimizer.h"

#include "train/optimizer_parts.h"
#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun {
namespace training {
namespace {

/// Tensor lists for one fused call: all ranges of a group that share a rate and a decay.
struct CallLists {
  std::vector<at::Tensor> values, gradients, first, second, steps;
  double rate = 1, decay = 0;
};

/// Steps made by each tensor of a group: a tensor that was frozen for a while has made fewer, and its bias correction follows its own
/// count.
class StepCounts {
 public:
  explicit StepCounts(const ParameterGroup& group) : total_(group.value.numel()) {
    for (const Slice& slice : group.layout.slices()) ends_.push_back(slice.offset + slice.size);
    if (ends_.empty()) ends_.push_back(total_);
    counts_ = at::zeros({static_cast<int64_t>(ends_.size())}, group.value.options());
    active_ = at::zeros_like(counts_);
  }

  const at::Tensor& counts() const { return counts_; }
  void advance() { counts_.add_(active_); }
  at::Tensor of(int64_t position) const { return counts_.select(0, index_of(position)); }

  /// Those with an element inside `spans` count from now on.
  void set_active(const std::vector<Span>& spans) {
    active_.zero_();
    for (const Span& span : spans)
      if (span.end > span.begin) active_.narrow(0, index_of(span.begin), index_of(span.end - 1) - index_of(span.begin) + 1).fill_(1);
  }
  void forget_inactive() { counts_.mul_(active_); }
  /// Tensors that start anew as a whole; one that starts anew in part keeps its count.
  void forget(const at::Tensor& entries) {
    int64_t begin = 0;
    for (size_t i = 0; i < ends_.size(); begin = ends_[i++])
      if (ends_[i] > begin && entries.slice(0, begin, ends_[i]).all().item<bool>()) counts_.select(0, static_cast<int64_t>(i)).zero_();
  }

  /// `spans`, cut where the count changes.
  std::vector<Span> cut(const std::vector<Span>& spans) const {
    const at::Tensor host = counts_.cpu();
    const float* counts = host.const_data_ptr<float>();
    std::vector<Span> pieces;
    for (Span rest : spans) {
      for (auto i = static_cast<size_t>(rest.end > rest.begin ? index_of(rest.begin) : 0); rest.end > rest.begin;) {
        size_t last = i;
        while (last + 1 < ends_.size() && ends_[last] < rest.end && counts[last + 1] == counts[i]) ++last;
        pieces.push_back({rest.begin, std::min(rest.end, ends_[last]), rest.rate, rest.decay});
        rest.begin = pieces.back().end;
        i = last + 1;
      }
    }
    return pieces;
  }

 private:
  int64_t index_of(int64_t position) const { return std::upper_bound(ends_.begin(), ends_.end(), position) - ends_.begin(); }

  int64_t total_;
  std::vector<int64_t> ends_;
  at::Tensor counts_, active_;  ///< float32 [tensors]
};

/// torch.optim.AdamW (Loshchilov and Hutter, 2019) through LibTorch's fused kernel, which reads and writes each buffer once.
class AdamW final : public Optimizer {
 public:
  AdamW(std::vector<ParameterGroup>& groups, const AdamWOptions& options) : groups_(groups), options_(options) {
    for (auto& group : groups_) slots_.push_back({moments_for(group), moments_for(group), StepCounts(group), {}});
    for (size_t i = 0; i < slots_.size(); ++i) make_calls(i);
  }

  void step(double factor) override {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < slots_.size(); ++i) {
      auto& slot = slots_[i];
      slot.steps.advance();
      for (auto& call : slot.calls) {
        at::_fused_adamw_(call.values, call.gradients, call.first, call.second, {}, call.steps, groups_[i].lr * factor * call.rate,
                          options_.beta1, options_.beta2, call.decay, options_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
      }
    }
  }

  void spans_changed(Moments moments) override {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < slots_.size(); ++i) {
      make_calls(i);
      if (moments != Moments::keep) drop(slots_[i], groups_[i]);
    }
  }

  void forget(size_t i, const at::Tensor& entries) override {
    const at::NoGradGuard no_grad;
    slots_[i].first.masked_fill_(entries, 0);
    slots_[i].second.masked_fill_(entries, 0);
    slots_[i].steps.forget(entries);
    make_calls(i);
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> state;
    for (size_t i = 0; i < slots_.size(); ++i) {
      state[groups_[i].name + ".exp_avg"] = slots_[i].first;
      state[groups_[i].name + ".exp_avg_sq"] = slots_[i].second;
      state[groups_[i].name + ".step"] = slots_[i].steps.counts();
    }
    return state;
  }

  void restore(const std::map<std::string, at::Tensor>& state) override {
    for (size_t i = 0; i < slots_.size(); ++i) {
      restore_tensor(state, groups_[i].name + ".exp_avg", slots_[i].first);
      restore_tensor(state, groups_[i].name + ".exp_avg_sq", slots_[i].second);
      restore_tensor(state, groups_[i].name + ".step", slots_[i].steps.counts());
      make_calls(i);
    }
  }

 private:
  struct Slot {
    at::Tensor first, second;
    StepCounts steps;
    std::vector<CallLists> calls;
  };

  static CallLists make_call(const ParameterGroup& group, const Slot& slot, const std::vector<Span>& spans) {
    CallLists call;
    call.rate = spans.front().rate;
    call.decay = spans.front().decay;
    for (const Span& span : spans) {
      const int64_t size = span.end - span.begin;
      call.values.push_back(group.value.narrow(0, span.begin, size));
      call.gradients.push_back(group.gradient.narrow(0, span.begin, size));
      call.first.push_back(slot.first.narrow(0, span.begin, size));
      call.second.push_back(slot.second.narrow(0, span.begin, size));
      call.steps.push_back(slot.steps.of(span.begin));
    }
    return call;
  }

  void make_calls(size_t i) {
    const auto spans = spans_of(groups_[i]);
    slots_[i].calls.clear();
    slots_[i].steps.set_active(spans);
    for (const auto& alike : by_rate_and_decay(slots_[i].steps.cut(spans)))
      slots_[i].calls.push_back(make_call(groups_[i], slots_[i], alike));
  }

  static void drop(Slot& slot, const ParameterGroup& group) {
    for (const Span& gap : outside(spans_of(group), slot.first.numel())) {
      slot.first.narrow(0, gap.begin, gap.end - gap.begin).zero_();
      slot.second.narrow(0, gap.begin, gap.end - gap.begin).zero_();
    }
    slot.steps.forget_inactive();
  }

  std::vector<ParameterGroup>& groups_;
  AdamWOptions options_;
  std::vector<Slot> slots_;
};

/// torch.optim.SGD: weight decay joins the gradient, momentum without dampening.
class Sgd final : public Optimizer {
 public:
  Sgd(std::vector<ParameterGroup>& groups, const SgdOptions& options) : groups_(groups), options_(options) {
    for (const auto& group : groups_) buffers_.push_back(options_.momentum == 0 ? at::Tensor() : moments_for(group));
    spans_changed(Moments::keep);
  }

  void step(double factor) override {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < groups_.size(); ++i)
      for (const auto& spans : spans_[i]) apply(i, spans, factor);
  }

  void spans_changed(Moments moments) override {
    spans_.clear();
    for (size_t i = 0; i < groups_.size(); ++i) {
      const auto spans = spans_of(groups_[i]);
      spans_.push_back(by_rate_and_decay(spans));
      if (moments == Moments::keep || !buffers_[i].defined()) continue;
      for (const Span& gap : outside(spans, buffers_[i].numel())) buffers_[i].narrow(0, gap.begin, gap.end - gap.begin).zero_();
    }
  }

  void forget(size_t i, const at::Tensor& entries) override {
    const at::NoGradGuard no_grad;
    if (buffers_[i].defined()) buffers_[i].masked_fill_(entries, 0);
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> state;
    for (size_t i = 0; i < buffers_.size(); ++i) {
      if (buffers_[i].defined()) state[groups_[i].name + ".momentum"] = buffers_[i];
    }
    return state;
  }

  void restore(const std::map<std::string, at::Tensor>& state) override {
    for (size_t i = 0; i < buffers_.size(); ++i) {
      if (buffers_[i].defined()) restore_tensor(state, groups_[i].name + ".momentum", buffers_[i]);
    }
  }

 private:
  void apply(size_t group, const std::vector<Span>& spans, double factor) {
    std::vector<at::Tensor> values, gradients, buffers;
    for (const Span& span : spans) {
      values.push_back(groups_[group].value.narrow(0, span.begin, span.end - span.begin));
      gradients.push_back(groups_[group].gradient.narrow(0, span.begin, span.end - span.begin));
      if (buffers_[group].defined()) buffers.push_back(buffers_[group].narrow(0, span.begin, span.end - span.begin));
    }
    at::_fused_sgd_(values, gradients, buffers, spans.front().decay, options_.momentum, groups_[group].lr * factor * spans.front().rate,
                    /*dampening=*/0, /*nesterov=*/false, /*maximize=*/false, /*is_first_step=*/false);
  }

  std::vector<ParameterGroup>& groups_;
  SgdOptions options_;
  std::vector<std::vector<std::vector<Span>>> spans_;  ///< by group, then by rate and decay
  std::vector<at::Tensor> buffers_;
};

}  // namespace

}  // namespace training

std::unique_ptr<Optimizer> make_adamw(std::vector<ParameterGroup>& groups, const AdamWOptions& options) {
  return std::make_unique<training::AdamW>(groups, options);
}

std::unique_ptr<Optimizer> make_sgd(std::vector<ParameterGroup>& groups, const SgdOptions& options) {
  return std::make_unique<training::Sgd>(groups, options);
}

}  // namespace tsrun
