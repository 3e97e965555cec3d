#include "train/step.h"

#include "tsrun/base/operators.h"

#include <algorithm>
#include <utility>

/// The update of a step: the optimiser's, and that of plugins with parameters of their own.
namespace tsrun::training {
namespace {

/// Learning rates of groups under the factors of their blocks, until the end of the scope.
class BlockRates {
 public:
  BlockRates(std::vector<ParameterGroup>& groups, const std::vector<Block>& blocks) : groups_(groups) {
    for (ParameterGroup& group : groups_) {
      own_.push_back(group.lr);
      for (const Block& block : blocks)
        if (block.name == group.name) group.lr *= block.rate_factor;
    }
  }
  ~BlockRates() {
    for (size_t i = 0; i < own_.size(); ++i) groups_[i].lr = own_[i];
  }
  BlockRates(const BlockRates&) = delete;
  BlockRates& operator=(const BlockRates&) = delete;

 private:
  std::vector<ParameterGroup>& groups_;
  std::vector<double> own_;
};

}  // namespace

/// Moments that a scope holds still are put back behind the step.
void Stepper::update(Step& step, double factor) {
  const at::NoGradGuard no_grad;
  std::vector<std::pair<at::Tensor, at::Tensor>> still;  // moments, and what they are now
  std::vector<at::Tensor> outside;
  const auto& groups = binding_.groups();
  for (size_t i = 0; i < groups.size(); ++i) {
    const at::Tensor mask = binding_.still_moments(i);
    if (!mask.defined()) continue;
    for (const auto& [name, tensor] : optimizer_->state()) {
      if (!name.starts_with(groups[i].name + ".") || tensor.sizes() != groups[i].value.sizes()) continue;
      still.emplace_back(tensor, tensor.clone());
      outside.push_back(mask);
    }
  }
  {
    const BlockRates rates(binding_.groups(), step.blocks);
    optimizer_->step(factor * step.rate_factor);
  }
  if (!plugins_.empty()) plugins_.update(step, owned_parameters(step));
  for (size_t i = 0; i < still.size(); ++i) still[i].first.copy_(at::where(outside[i], still[i].second, still[i].first));
}

/// Those of the step that are trained; the rates of blocks have the schedule's factor.
std::vector<OwnedParameter> Stepper::owned_parameters(const Step& step) const {
  std::vector<OwnedParameter> owned;
  for (const ParameterGroup& group : binding_.groups()) {
    if (!group.owned) continue;
    const auto block = std::find_if(step.blocks.begin(), step.blocks.end(), [&](const Block& b) { return b.name == group.name; });
    for (const Slice& slice : group.layout.slices()) {
      const auto covers = [&](const Span& span) { return span.begin <= slice.offset && span.end >= slice.offset + slice.size; };
      const auto span = std::find_if(block->spans.begin(), block->spans.end(), covers);
      if (span == block->spans.end()) continue;
      const auto view = [&](const at::Tensor& flat) { return flat.narrow(0, slice.offset, slice.size).view(slice.shape); };
      owned.push_back({slice.name, view(group.value), view(group.gradient),
                       block->rate * block->rate_factor * step.rate_factor * span->rate, span->decay});
    }
  }
  return owned;
}

}  // namespace tsrun::training
