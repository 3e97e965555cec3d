#include "salience.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <span>

namespace tsrun::gradient_mask {

std::vector<int64_t> drawn_rows(const MethodInputs& inputs, int64_t count, const std::string& who) {
  if (inputs.probe == nullptr) user_error("{}: no rows to look at, expected those of a task", who);
  std::vector<int64_t> rows = permutation(inputs.key.split("rows"), inputs.probe->rows());
  rows.resize(std::min(rows.size(), static_cast<size_t>(count)));
  return rows;
}

std::vector<at::Tensor> salience(const MethodInputs& inputs, const std::vector<ParameterInfo>& parameters, const Calibration& calibration,
                                 const std::string& rule) {
  const bool squared = rule == "gradient_squared";
  const std::span<const int64_t> all = calibration.rows;
  std::vector<at::Tensor> sums(parameters.size());
  for (size_t begin = 0, batch = 0; begin < all.size(); ++batch) {
    const auto rows = all.subspan(begin, std::min(all.size() - begin, static_cast<size_t>(calibration.batch_size)));
    const auto dropout = calibration.dropout ? std::optional(inputs.key.split("dropout").split(batch)) : std::nullopt;
    const Weights gradient = inputs.probe->loss_and_gradient(inputs.origin, rows, dropout).gradient;
    for (size_t i = 0; i < parameters.size(); ++i) {
      const at::Tensor& found = gradient.at(parameters[i].name);
      const at::Tensor term = squared ? found.square() : found * static_cast<double>(rows.size());
      sums[i] = sums[i].defined() ? sums[i].add_(term) : term;
    }
    begin += rows.size();
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (rule == "magnitude_times_gradient") sums[i].mul_(inputs.origin.at(parameters[i].name));
    sums[i].abs_();
  }
  return sums;
}

std::vector<at::Tensor> step_salience(const Step& step, std::vector<ParameterInfo>& parameters, const std::string& who) {
  std::vector<at::Tensor> scores;
  std::erase_if(parameters, [&](const ParameterInfo& info) {
    const at::Tensor gradient = trained_parameter(step, info, who).gradient;
    if (gradient.defined()) scores.push_back(gradient.abs());
    return !gradient.defined();
  });
  if (scores.empty()) user_error("{}: the training trains none of the parameters that get masks", who);
  return scores;
}

}  // namespace tsrun::gradient_mask
