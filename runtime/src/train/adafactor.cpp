#include "train/clip.h"
#include "train/optimizer_parts.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/optimizer.h"

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace training {
namespace {

/// One tensor of a group: views into the group's flat vectors, and running means of the squared gradient. With two or more dimensions these
/// are over the last dimension (`rows`) and over the last but one (`columns`); below that every element has its own.
struct AdafactorTensor {
  std::string name;
  at::Tensor value, gradient;
  at::Tensor rows, columns, elements;
  int64_t begin = 0, size = 0;  ///< in the group
  bool active = true;           ///< some span covers it
  double rate = 1;              ///< of that span

  AdafactorTensor(const ParameterGroup& group, const Slice& slice)
      : name(group.name + "." + slice.name),
        value(group.value.narrow(0, slice.offset, slice.size).view(slice.shape)),
        gradient(group.gradient.narrow(0, slice.offset, slice.size).view(slice.shape)),
        begin(slice.offset),
        size(slice.size) {
    if (slice.shape.size() < 2) {
      elements = at::zeros_like(value);
    } else {
      rows = at::zeros_like(value.select(-1, 0), at::MemoryFormat::Contiguous);
      columns = at::zeros_like(value.select(-2, 0), at::MemoryFormat::Contiguous);
    }
  }

  /// Spans follow the borders of tensors.
  void take(const std::vector<Span>& spans, Moments moments) {
    const auto covers = [&](const Span& span) { return span.begin <= begin && span.end >= begin + size; };
    const auto cover = std::find_if(spans.begin(), spans.end(), covers);
    active = cover != spans.end();
    rate = active ? cover->rate : 1;
    if (!active && moments != Moments::keep) forget();
  }

  void forget() const {
    for (const at::Tensor* mean : {&rows, &columns, &elements})
      if (mean->defined()) mean->zero_();
  }

  /// Updates the running means: mean ← kept·mean + (1 − kept)(g² + ε). Returns g/√mean, in the one temporary of full size.
  at::Tensor next_update(double kept, double epsilon) const {
    at::Tensor work = gradient.square().add_(epsilon);
    if (elements.defined()) {
      elements.mul_(kept).add_(work, 1 - kept);
      at::rsqrt_out(work, elements);
    } else {
      rows.mul_(kept).add_(work.mean(-1), 1 - kept);
      columns.mul_(kept).add_(work.mean(-2), 1 - kept);
      const at::Tensor by_row = rows.div(rows.mean(-1, /*keepdim=*/true)).rsqrt_().unsqueeze(-1);
      at::mul_out(work, by_row, columns.rsqrt().unsqueeze(-2));
    }
    return work.mul_(gradient);
  }
};

/// Divisor of `update` that makes its root mean square at most `threshold`: 1 or more, on the device of `update`, since reading it
/// would stall a GPU at every tensor. LibTorch's norm sums float32 in float32 on the CPU, which is percents off over a large vocabulary.
at::Tensor excess(const at::Tensor& update, double threshold) {
  const double allowed = threshold * std::sqrt(static_cast<double>(update.numel()));
  if (update.is_cpu()) return at::scalar_tensor(std::max(1.0, std::sqrt(squared_norm(update)) / allowed), update.options());
  return at::linalg_vector_norm(update, 2).div_(allowed).clamp_min_(1);
}

/// transformers' Adafactor (Shazeer and Stern, 2018) with a learning rate from outside: scale_parameter, relative_step and warmup_init off,
/// no mean of gradients. Every tensor is normalised and limited on its own; decay is decoupled and comes first.
class Adafactor final : public Optimizer {
 public:
  Adafactor(std::vector<ParameterGroup>& groups, const AdafactorOptions& options) : groups_(groups), options_(options) {
    for (const auto& group : groups_) add(group);
    spans_changed(Moments::keep);
  }

  void step(double factor) override {
    const at::NoGradGuard no_grad;
    step_.add_(1);
    const double kept = 1 - std::pow(step_.item<double>(), options_.decay_rate);
    for (size_t i = 0; i < groups_.size(); ++i) {
      const double lr = groups_[i].lr * factor;
      for (const Span& span : spans_[i])
        if (span.decay != 0) groups_[i].value.narrow(0, span.begin, span.end - span.begin).mul_(1 - lr * span.rate * span.decay);
      for (const auto& tensor : tensors_[i]) {
        if (!tensor.active) continue;
        const at::Tensor update = tensor.next_update(kept, options_.eps1);
        tensor.value.addcdiv_(update, excess(update, options_.clip_threshold), -lr * tensor.rate);
      }
    }
  }

  void spans_changed(Moments moments) override {
    const at::NoGradGuard no_grad;
    spans_.clear();
    for (size_t i = 0; i < groups_.size(); ++i) {
      spans_.push_back(spans_of(groups_[i]));
      for (auto& tensor : tensors_[i]) tensor.take(spans_[i], moments);
    }
  }

  void forget(size_t i, const at::Tensor& entries) override {
    const at::NoGradGuard no_grad;
    for (const auto& tensor : tensors_[i])
      if (entries.narrow(0, tensor.begin, tensor.size).any().item<bool>()) tensor.forget();
  }

  /// Shares its tensors with the optimiser.
  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> state = {{"step", step_}};
    for (const auto& group : tensors_) {
      for (const auto& tensor : group) {
        if (tensor.elements.defined()) {
          state[tensor.name + ".exp_avg_sq"] = tensor.elements;
        } else {
          state[tensor.name + ".exp_avg_sq_row"] = tensor.rows;
          state[tensor.name + ".exp_avg_sq_col"] = tensor.columns;
        }
      }
    }
    return state;
  }

  void restore(const std::map<std::string, at::Tensor>& saved) override {
    for (const auto& [name, tensor] : state()) restore_tensor(saved, name, tensor);
  }

 private:
  void add(const ParameterGroup& group) {
    if (group.layout.total() != group.value.numel()) {
      internal_error("optimizer: the tensors of group '{}' have {} elements, its value has {}", group.name, group.layout.total(),
                     group.value.numel());
    }
    auto& tensors = tensors_.emplace_back();
    if (group.owned) return;
    for (const Slice& slice : group.layout.slices()) {
      if (slice.size > 0) tensors.emplace_back(group, slice);
    }
  }

  std::vector<ParameterGroup>& groups_;
  AdafactorOptions options_;
  std::vector<std::vector<Span>> spans_;               ///< by group
  std::vector<std::vector<AdafactorTensor>> tensors_;  ///< by group
  at::Tensor step_ = at::zeros({}, at::kLong);         ///< on the host; steps made
};

}  // namespace

}  // namespace training

std::unique_ptr<Optimizer> make_adafactor(std::vector<ParameterGroup>& groups, const AdafactorOptions& options) {
  return std::make_unique<training::Adafactor>(groups, options);
}

}  // namespace tsrun
