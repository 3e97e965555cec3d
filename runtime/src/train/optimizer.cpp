#include "tsrun/train/optimizer.h"

#include "train/optimizer_parts.h"

#include <ATen/Functions.h>

namespace tsrun {
namespace {

/// Tensor lists for one fused call: all slices of a group that share a decay.
struct CallLists {
  std::vector<at::Tensor> values, gradients, first, second, steps;
  double decay = 0;
};

/// torch.optim.AdamW (Loshchilov and Hutter, 2019) through LibTorch's fused kernel, which reads and writes each buffer once.
class AdamW final : public Optimizer {
 public:
  AdamW(std::vector<ParameterGroup>& groups, const AdamWOptions& options) : groups_(groups), options_(options) {
    for (auto& group : groups_) slots_.push_back(make_slot(group));
  }

  void step(double factor) override {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < slots_.size(); ++i) {
      auto& slot = slots_[i];
      slot.step.add_(1);
      for (auto& call : slot.calls) {
        at::_fused_adamw_(call.values, call.gradients, call.first, call.second, {}, call.steps, groups_[i].lr * factor, options_.beta1,
                          options_.beta2, call.decay, options_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
      }
    }
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> state;
    for (size_t i = 0; i < slots_.size(); ++i) {
      state[groups_[i].name + ".exp_avg"] = slots_[i].first;
      state[groups_[i].name + ".exp_avg_sq"] = slots_[i].second;
      state[groups_[i].name + ".step"] = slots_[i].step;
    }
    return state;
  }

  void restore(const std::map<std::string, at::Tensor>& state) override {
    for (size_t i = 0; i < slots_.size(); ++i) {
      restore_tensor(state, groups_[i].name + ".exp_avg", slots_[i].first);
      restore_tensor(state, groups_[i].name + ".exp_avg_sq", slots_[i].second);
      restore_tensor(state, groups_[i].name + ".step", slots_[i].step);
    }
  }

 private:
  struct Slot {
    at::Tensor first, second, step;
    std::vector<CallLists> calls;
  };

  static CallLists make_call(const std::vector<DecaySegment>& segments, const Slot& slot, double decay) {
    CallLists call;
    call.decay = decay;
    for (const auto& segment : segments) {
      call.values.push_back(segment.value);
      call.gradients.push_back(segment.gradient);
      call.first.push_back(slot.first.narrow(0, segment.begin, segment.size));
      call.second.push_back(slot.second.narrow(0, segment.begin, segment.size));
      call.steps.push_back(slot.step);
    }
    return call;
  }

  static Slot make_slot(const ParameterGroup& group) {
    Slot slot;
    slot.first = at::zeros_like(group.value);
    slot.second = at::zeros_like(group.value);
    slot.step = at::zeros({}, group.value.options());
    const DecaySegments segments = cut_by_decay(group);
    if (!segments.decayed.empty()) slot.calls.push_back(make_call(segments.decayed, slot, group.weight_decay));
    if (!segments.plain.empty()) slot.calls.push_back(make_call(segments.plain, slot, 0));
    return slot;
  }

  std::vector<ParameterGroup>& groups_;
  AdamWOptions options_;
  std::vector<Slot> slots_;
};

/// torch.optim.SGD: weight decay joins the gradient, momentum without dampening.
class Sgd final : public Optimizer {
 public:
  Sgd(std::vector<ParameterGroup>& groups, const SgdOptions& options) : groups_(groups), options_(options) {
    for (const auto& group : groups_) {
      cuts_.push_back(cut_by_decay(group));
      buffers_.push_back(options_.momentum == 0 ? at::Tensor() : at::zeros_like(group.value));
    }
  }

  void step(double factor) override {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < groups_.size(); ++i) {
      apply(i, cuts_[i].decayed, groups_[i].weight_decay, factor);
      apply(i, cuts_[i].plain, 0, factor);
    }
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
  void apply(size_t group, const std::vector<DecaySegment>& segments, double decay, double factor) {
    if (segments.empty()) return;
    std::vector<at::Tensor> values, gradients, buffers;
    for (const auto& segment : segments) {
      values.push_back(segment.value);
      gradients.push_back(segment.gradient);
      if (buffers_[group].defined()) buffers.push_back(buffers_[group].narrow(0, segment.begin, segment.size));
    }
    at::_fused_sgd_(values, gradients, buffers, decay, options_.momentum, groups_[group].lr * factor, /*dampening=*/0, /*nesterov=*/false,
                    /*maximize=*/false, /*is_first_step=*/false);
  }

  std::vector<ParameterGroup>& groups_;
  SgdOptions options_;
  std::vector<DecaySegments> cuts_;
  std::vector<at::Tensor> buffers_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adamw(std::vector<ParameterGroup>& groups, const AdamWOptions& options) {
  return std::make_unique<AdamW>(groups, options);
}

std::unique_ptr<Optimizer> make_sgd(std::vector<ParameterGroup>& groups, const SgdOptions& options) {
  return std::make_unique<Sgd>(groups, options);
}

}  // namespace tsrun
