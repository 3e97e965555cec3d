#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/parameter_set.h"

namespace tsrun::plugin_testing {
namespace {

const ParameterInfo& info_of(const Family& family, const std::string& name) {
  for (const ParameterInfo& info : family.parameters())
    if (info.name == name) return info;
  internal_error("the model has no parameter '{}'", name);
}

at::Tensor normal_numbers(const std::vector<int64_t>& shape, Key key) {
  at::Tensor numbers = at::empty(shape, at::kFloat);
  fill_normal(key, {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
  return numbers;
}

Layout whole_layout(const Family& family) {
  Layout layout;
  for (const ParameterInfo& info : family.parameters()) layout.add(info.name, info.shape);
  return layout;
}

}  // namespace

Probe::HiddenStates MadeUpProbe::hidden(const Weights&, std::span<const int64_t>, int) {
  run_error("a made-up probe has no hidden states");
}

Probe::LabelStates MadeUpProbe::label_states(const Weights&, std::span<const int64_t>) {
  run_error("a made-up probe has no hidden states");
}

at::Tensor MadeUpProbe::gradient_of(const std::string& parameter, int64_t row) const {
  const auto scale = scales_.find(parameter);
  const at::Tensor numbers =
      normal_numbers(info_of(family_, parameter).shape, Key::root(9).split(parameter).split(static_cast<uint64_t>(row)));
  return scale == scales_.end() ? numbers : numbers * scale->second;
}

Probe::LossAndGradient MadeUpProbe::loss_and_gradient(const Weights&, std::span<const int64_t> rows, std::optional<Key>) {
  LossAndGradient result;
  for (const ParameterInfo& info : family_.parameters()) {
    at::Tensor sum = at::zeros(info.shape);
    for (const int64_t row : rows) sum += gradient_of(info.name, row);
    result.gradient.set(info.name, sum / static_cast<double>(rows.size()));
  }
  return result;
}

MadeUpStep::MadeUpStep(const SmallModel& model, Key key)
    : layout(whole_layout(*model.family)), step{.key = key, .family = *model.family, .weights = model.weights, .blocks = {}} {
  Block block;
  block.name = "all";
  block.layout = &layout;
  block.value = flatten(model.weights, layout);
  block.gradient = normal_numbers({layout.total()}, key.split("gradient"));
  step.blocks.push_back(block);
}

at::Tensor MadeUpStep::gradient(const std::string& parameter) const {
  const Slice& slice = *layout.find(parameter);
  return step.blocks.at(0).gradient.narrow(0, slice.offset, slice.size).view(slice.shape);
}

}  // namespace tsrun::plugin_testing
