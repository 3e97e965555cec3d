#include "tune/chosen_entries.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace tsrun::tune {
namespace {

using ParameterMasks = std::vector<std::pair<const ParameterInfo*, at::Tensor>>;

/// A parameter that is used whole; backward gives the gradient of its chosen entries. One application serves all passes, so what backward
/// reads lies in `saved_data`, which a backward pass leaves alone.
class WholeParameter : public torch::autograd::Function<WholeParameter> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& /*chosen*/, const at::Tensor& whole,
                            const at::Tensor& positions, const at::Tensor& acted) {
    context->saved_data["positions"] = positions;
    context->saved_data["acted"] = acted;
    return whole.detach();
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const at::Tensor flat = gradients[0].reshape({-1});
    const at::Tensor chosen = flat.index_select(0, context->saved_data["positions"].toTensor());
    const at::Tensor acted = context->saved_data["acted"].toTensor();
    if (!acted.item<bool>() && flat.count_nonzero().item<int64_t>() > chosen.count_nonzero().item<int64_t>()) acted.fill_(true);
    return {chosen, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

at::Tensor flat_positions(const at::Tensor& mask) { return mask.reshape({-1}).nonzero().squeeze(1); }

FlatBuffer chosen_values(std::string name, const ParameterMasks& masked, const Weights& origin, at::Device device) {
  Layout layout;
  Weights chosen;
  for (const auto& [info, mask] : masked) {
    const at::Tensor values = origin.at(info->name).reshape({-1}).masked_select(mask.to(device).reshape({-1}));
    if (values.numel() == 0) continue;
    layout.add(info->name, {values.numel()});
    chosen.set(info->name, values);
  }
  return {std::move(name), std::move(layout), chosen, device};
}

}  // namespace

ChosenEntries::ChosenEntries(std::string name, const ParameterMasks& masked, const Weights& origin, at::Device device)
    : buffer_(chosen_values(std::move(name), masked, origin, device)), acted_(at::zeros({}, at::kBool)) {
  const at::NoGradGuard no_grad;
  for (const auto& [info, mask] : masked) {
    const at::Tensor positions = flat_positions(mask.to(device));
    left_out_ += mask.numel() - positions.numel();
    if (positions.numel() == 0) continue;
    positions_.push_back(positions);
    wholes_.push_back(origin.at(info->name).clone());
  }
}

void ChosenEntries::add_to(Weights& weights) const {
  const at::AutoGradMode recording(true);
  Weights leaves;
  buffer_.add_leaves(leaves);
  for (size_t i = 0; i < wholes_.size(); ++i) {
    const std::string& parameter = buffer_.layout.slices()[i].name;
    weights.set(parameter, WholeParameter::apply(leaves.at(parameter), wholes_[i], positions_[i], acted_));
  }
}

void ChosenEntries::scatter() const {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < wholes_.size(); ++i) {
    const Slice& slice = buffer_.layout.slices()[i];
    wholes_[i].view({-1}).index_copy_(0, positions_[i], buffer_.value.narrow(0, slice.offset, slice.size));
  }
}

at::Tensor ChosenEntries::gather(const Weights& whole) const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> parts;
  for (size_t i = 0; i < positions_.size(); ++i)
    parts.push_back(whole.at(buffer_.layout.slices()[i].name).reshape({-1}).index_select(0, positions_[i]));
  return parts.empty() ? at::empty({0}) : at::cat(parts);
}

}  // namespace tsrun::tune
