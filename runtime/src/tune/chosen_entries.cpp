#include "tune/chosen_entries.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/takes_row_gradients.h"

#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>

namespace tsrun::tune {
namespace {

using ParameterMasks = std::vector<std::pair<const ParameterInfo*, at::Tensor>>;

/// Entries at `positions` (ascending) of a sum of `rows` [tokens, width], each at the row `ids` of a table.
at::Tensor gather_rows(const at::Tensor& ids, const at::Tensor& rows, const at::Tensor& positions) {
  const at::Tensor values = rows.contiguous(), numbers = ids.contiguous();
  at::Tensor sum = at::zeros({positions.numel()}, rows.options());
  const int64_t width = values.size(1), *begin = positions.const_data_ptr<int64_t>(), *end = begin + positions.numel();
  float* out = sum.mutable_data_ptr<float>();
  for (int64_t token = 0; token < numbers.numel(); ++token) {
    const int64_t first = numbers.const_data_ptr<int64_t>()[token] * width;
    const float* row = values.const_data_ptr<float>() + token * width;
    for (const int64_t* at = std::lower_bound(begin, end, first); at != end && *at < first + width; ++at)
      out[at - begin] += row[*at - first];
  }
  return sum;
}

/// Backward of a parameter that is used whole: the gradient of its chosen entries. One node serves all passes.
class WholeParameter : public TakesRowGradients {
 public:
  WholeParameter(at::Tensor positions, at::Tensor acted) : positions_(std::move(positions)), acted_(std::move(acted)) {}

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    const at::NoGradGuard no_grad;
    const at::Tensor& whole = gradients[0];
    if (!whole.defined()) return {at::Tensor()};
    if (whole.is_sparse() && acted_.item<bool>()) return {gather_rows(whole._indices()[0], whole._values(), positions_)};
    const at::Tensor flat = (whole.is_sparse() ? whole.to_dense() : whole).reshape({-1});
    const at::Tensor chosen = flat.index_select(0, positions_);
    if (!acted_.item<bool>() && flat.count_nonzero().item<int64_t>() > chosen.count_nonzero().item<int64_t>()) acted_.fill_(true);
    return {chosen};
  }

 private:
  at::Tensor positions_, acted_;
};

/// Shared or intrusive, by the version of LibTorch.
using NodePointer = decltype(torch::autograd::Edge::function);
template <class Pointer, class Node, class... Arguments>
Pointer make_node(Arguments&&... arguments) {
  if constexpr (std::is_same_v<Pointer, std::shared_ptr<torch::autograd::Node>>)
    return std::make_shared<Node>(std::forward<Arguments>(arguments)...);
  else
    return c10::make_intrusive<Node>(std::forward<Arguments>(arguments)...);
}

/// `whole`, connected to the leaf `chosen`.
at::Tensor connected(const at::Tensor& chosen, const at::Tensor& whole, const at::Tensor& positions, const at::Tensor& acted) {
  const auto node = make_node<NodePointer, WholeParameter>(positions, acted);
  node->set_next_edges(torch::autograd::collect_next_edges(chosen));
  at::Tensor used = whole.detach();
  torch::autograd::set_history(used, node);
  return used;
}

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
    weights.set(parameter, connected(leaves.at(parameter), wholes_[i], positions_[i], acted_));
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
