#include "fisher.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/tune/entry_masks.h"

#include <algorithm>
#include <cmath>

namespace tsrun::child_tuning {
namespace {

/// The authors take parameters with "layer" in their names: those of encoder layers, with biases and norms.
std::vector<ParameterInfo> of_layers(const Family& family, const Options& options) {
  const auto parts = options.texts("parts");
  std::vector<ParameterInfo> found;
  for (const ParameterInfo& info : family.parameters())
    if (info.layer >= 0 && std::find(parts.begin(), parts.end(), name_of(info.part)) != parts.end()) found.push_back(info);
  if (found.empty()) user_error("child_tuning: the model has no layers in {}", join_words(parts));
  return found;
}

/// Adds the square of `gradient`, clipped to norm `most` as torch clips.
void add_square(const at::Tensor& sum, const at::Tensor& gradient, double most, double share) {
  const double factor = most > 0 ? std::min(1.0, most / (gradient.norm().item<double>() + 1e-6)) : 1;
  sum.addcmul_(gradient, gradient, share * factor * factor);
}

/// Entries at or above NumPy's percentile 100 (1 − p) of `entries` different numbers.
int64_t above_percentile(int64_t entries, double p) {
  return entries - static_cast<int64_t>(std::ceil((1 - p) * static_cast<double>(entries - 1) - 1e-9));
}

std::vector<std::vector<int64_t>> drawn_batches(const MethodInputs& inputs, int64_t size) {
  const std::vector<int64_t> order = permutation(inputs.key.split("order"), inputs.probe->rows());
  std::vector<std::vector<int64_t>> batches;
  for (auto begin = order.begin(); begin != order.end(); begin += std::min<int64_t>(size, order.end() - begin))
    batches.emplace_back(begin, begin + std::min<int64_t>(size, order.end() - begin));
  return batches;
}

/// F of all entries of `parameters`, end to end.
at::Tensor fisher_scores(const MethodInputs& inputs, const std::vector<ParameterInfo>& parameters,
                         const std::vector<std::vector<int64_t>>& batches, double clip) {
  std::vector<at::Tensor> sums;
  for (const ParameterInfo& info : parameters) sums.push_back(at::zeros_like(inputs.origin.at(info.name)).view({-1}));
  for (size_t b = 0; b < batches.size(); ++b) {
    const Key dropout = inputs.key.split("dropout").split(static_cast<uint64_t>(b));
    const Weights gradient = inputs.probe->loss_and_gradient(inputs.origin, batches[b], dropout).gradient;
    for (size_t i = 0; i < parameters.size(); ++i)
      add_square(sums[i], gradient.at(parameters[i].name).reshape({-1}), clip, 1 / static_cast<double>(batches.size()));
  }
  return at::cat(sums);
}

}  // namespace

OptionTable fisher_options() {
  return {
      {.name = "p",
       .type = OptionType::number,
       .fallback = 0.3,
       .doc = "share of the gradient's entries that is kept",
       .minimum = 0.001,
       .maximum = 1},
      {.name = "parts",
       .type = OptionType::list,
       .fallback = nlohmann::json::array({"encoder", "decoder"}),
       .doc = "variant d: parts whose layers are masked, biases and norms with them; all else is trained whole"},
      {.name = "fisher_batch",
       .type = OptionType::integer,
       .fallback = 16,
       .doc = "variant d: rows of one squared gradient",
       .minimum = 1,
       .unit = "rows"},
      {.name = "fisher_clip",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "variant d: norm to which each parameter's gradient is clipped before it is squared; 0: not clipped",
       .minimum = 0},
  };
}

Child child_of(const MethodInputs& inputs, const Options& options) {
  if (inputs.probe == nullptr) user_error("child_tuning: Fisher information is of training rows; expected a task");
  const auto parameters = of_layers(inputs.family, options);
  const auto batches = drawn_batches(inputs, options.integer("fisher_batch"));
  const at::Tensor scores = fisher_scores(inputs, parameters, batches, options.number("fisher_clip"));
  Child child;
  child.batches = static_cast<int64_t>(batches.size());
  child.entries = scores.numel();
  child.kept = above_percentile(child.entries, options.number("p"));
  const at::Tensor mask = largest_elements(scores, child.kept);
  child.threshold = scores.masked_select(mask).min().item<double>();
  int64_t begin = 0;
  for (const ParameterInfo& info : parameters) {
    const int64_t size = inputs.origin.at(info.name).numel();
    child.masks[info.name] = mask.narrow(0, begin, size).view(info.shape).clone();
    begin += size;
  }
  return child;
}

}  // namespace tsrun::child_tuning
