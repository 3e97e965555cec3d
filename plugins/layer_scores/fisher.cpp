#include "layer_choice.h"
#include "methods.h"
#include "tsrun/base/operators.h"

namespace tsrun::layer_scores {
namespace {

/// Adds the squares of a gradient's entries to their layers.
void add_squares(const Family& family, const Weights& gradient, std::vector<double>& sums) {
  const at::NoGradGuard no_grad;
  for (const ParameterInfo& info : family.parameters())
    if (info.layer >= 0) sums.at(static_cast<size_t>(info.layer)) += gradient.at(info.name).square().sum().item<double>();
}

std::vector<double> numbers_of_layers(const Family& family) {
  std::vector<double> numbers(static_cast<size_t>(family.layers()));
  for (const ParameterInfo& info : family.parameters()) {
    double size = 1;
    for (const int64_t extent : info.shape) size *= static_cast<double>(extent);
    if (info.layer >= 0) numbers.at(static_cast<size_t>(info.layer)) += size;
  }
  return numbers;
}

}  // namespace

OptionTable FisherLayers::options() const {
  OptionTable table = layer_options("Fisher information");
  return table.include(row_options(64, 1));
}

std::optional<Choice> FisherLayers::choose(const MethodInputs& inputs, const Options& options) const {
  std::vector<double> information(static_cast<size_t>(inputs.family.layers()));
  const auto batches = drawn_batches(*inputs.probe, inputs.key.split("rows"), options.integer("rows"), options.integer("rows_at_once"));
  for (const auto& batch : batches) add_squares(inputs.family, inputs.probe->loss_and_gradient(inputs.origin, batch).gradient, information);
  const std::vector<double> numbers = numbers_of_layers(inputs.family);
  for (size_t layer = 0; layer < information.size(); ++layer) information[layer] /= numbers[layer] * static_cast<double>(batches.size());
  return choice_of_layers(inputs.family, information, "information", options, name());
}

}  // namespace tsrun::layer_scores
