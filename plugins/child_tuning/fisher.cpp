#include "fisher.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/tune/entry_masks.h"

#include <ATen/ATen.h>

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
  const std::vector<int64_t> order = permutation(inputs.key.split("order"), inputs.probe->rows());
  const auto rows = static_cast<int64_t>(order.size()), batch = options.integer("fisher_batch");
  Child child;
  child.batches = (rows + batch - 1) / batch;
  std::vector<at::Tensor> scores;
  for (int64_t b = 0; b < child.batches; ++b) {
    const std::span<const int64_t> some(order.data() + b * batch, static_cast<size_t>(std::min(batch, rows - b * batch)));
    const Weights gradient =
        inputs.probe->loss_and_gradient(inputs.origin, some, inputs.key.split("dropout").split(static_cast<uint64_t>(b))).gradient;
    for (size_t i = 0; i < parameters.size(); ++i) {
      const at::Tensor& g = gradient.at(parameters[i].name);
      if (b == 0) scores.push_back(at::zeros_like(g));
      add_square(scores[i], g, options.number("fisher_clip"), 1 / static_cast<double>(child.batches));
    }
  }
  std::vector<at::Tensor> flat;
  for (const at::Tensor& score : scores) flat.push_back(score.reshape({-1}));
  const at::Tensor all = at::cat(flat);
  child.entries = all.numel();
  child.kept = above_percentile(child.entries, options.number("p"));
  const at::Tensor mask = largest_elements(all, child.kept);
  child.threshold = all.masked_select(mask).min().item<double>();
  int64_t begin = 0;
  for (const ParameterInfo& info : parameters) {
    const int64_t size = inputs.origin.at(info.name).numel();
    child.masks[info.name] = mask.narrow(0, begin, size).view(info.shape).clone();
    begin += size;
  }
  return child;
}

}  // namespace tsrun::child_tuning
