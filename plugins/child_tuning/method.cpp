#include "method.h"

#include "fisher.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/tune/entry_masks.h"

namespace tsrun::child_tuning {
namespace {

/// Calls `change(name, gradient)` for every trained tensor.
template <class Change>
void each_gradient(const Step& step, const Change& change) {
  const at::NoGradGuard no_grad;
  for (const Block& block : step.blocks) {
    if (block.composed) continue;
    for (const Slice& slice : block.layout->slices()) change(slice.name, block.gradient.narrow(0, slice.offset, slice.size));
  }
}

/// g ← g · Bernoulli(p) / p
class TaskFree final : public Regularizer {
 public:
  TaskFree(double p, Draw draw) : p_(p), draw_(std::move(draw)) {}
  void before_update(Step& step) override {
    each_gradient(step, [&](const std::string& name, const at::Tensor& gradient) {
      gradient.mul_(draw_(name, gradient.numel(), step).to(gradient.device())).div_(p_);
    });
  }
  nlohmann::json report() const override { return {{"variant", "f"}, {"p", p_}}; }

 private:
  double p_;
  Draw draw_;
};

/// g ← g · mask; the mask is made before the first step, and saved.
class TaskDriven final : public Regularizer {
 public:
  TaskDriven(const MethodInputs& inputs, Options options) : inputs_(inputs), options_(std::move(options)) {}

  void before_update(Step& step) override {
    if (masks_.empty()) begin();
    size_t met = 0;
    each_gradient(step, [&](const std::string& name, const at::Tensor& gradient) {
      const auto mask = masks_.find(name);
      if (mask == masks_.end()) return;
      if (mask->second.numel() != gradient.numel())
        user_error("child_tuning: '{}' is trained in part (a compact scope), and the child network is of whole parameters", name);
      gradient.mul_(mask->second.to(gradient.device()).view({-1}));
      ++met;
    });
    if (met == 0 && step.number == 0) user_error("child_tuning: none of the {} masked parameters is trained in full space", masks_.size());
  }
  nlohmann::json report() const override {
    int64_t kept = 0, entries = 0;
    for (const auto& [name, mask] : masks_) kept += mask.sum().item<int64_t>(), entries += mask.numel();
    return {{"variant", "d"}, {"kept", kept}, {"entries", entries}};
  }
  PluginState state() const override { return masks_; }
  void restore(const PluginState& state) override { masks_ = state; }

 private:
  void begin() { masks_ = child_of(inputs_, options_).masks; }

  MethodInputs inputs_;
  Options options_;
  PluginState masks_;
};

}  // namespace

std::unique_ptr<Regularizer> make_task_free(double p, Draw draw) { return std::make_unique<TaskFree>(p, std::move(draw)); }

OptionTable Method::options() const {
  OptionTable table = {
      {.name = "variant",
       .type = OptionType::choice,
       .fallback = "d",
       .doc = "f: a random share p of all gradients in every step, divided by p; d: always the share p of largest Fisher information",
       .choices = {"d", "f"}},
  };
  return table.include(fisher_options());
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  if (options.text("variant") == "d") return std::make_unique<TaskDriven>(inputs, options);
  const double p = options.number("p");
  return make_task_free(p, [p](const std::string& name, int64_t numbers, const Step& step) {
    const Key key = step.key.split(name);
    at::Tensor drawn = at::empty({numbers}, at::kFloat);
    float* data = drawn.mutable_data_ptr<float>();
    parallel_for(numbers, 1 << 16, [&](int64_t begin, int64_t end) {
      fill_uniform(key, {data + begin, static_cast<size_t>(end - begin)}, static_cast<uint64_t>(begin));
    });
    return drawn < p;
  });
}

OptionTable ChildNetwork::options() const {
  OptionTable table = fisher_options();
  return table.include({
      {.name = "freeze",
       .type = OptionType::choice,
       .fallback = name_of(Freeze::gradient),
       .doc = "what masked elements do not receive: gradients, updates, or updates and optimiser moments (state)",
       .choices = {"gradient", "update", "state"}},
  });
}

std::optional<Choice> ChildNetwork::choose(const MethodInputs& inputs, const Options& options) const {
  const Child child = child_of(inputs, options);
  Choice choice;
  choice.scope.freeze = freeze_of(options);
  for (const auto& [name, mask] : child.masks) choice.scope.parameters[name].mask = mask;
  choice.table = {{"threshold", child.threshold},
                  {"kept", child.kept},
                  {"entries", child.entries},
                  {"batches", child.batches},
                  {"masks", mask_table(choice.scope)}};
  return choice;
}

}  // namespace tsrun::child_tuning
