#pragma once

#include "tsrun/tune/selector.h"

#include <string>
#include <vector>

/// Scores of elements by gradients.
namespace tsrun::gradient_mask {

/// Numbers of `count` rows of the training split, drawn without replacement; all of them when there are no more.
/// @throws Error(user) "`who`: …" outside of any task
std::vector<int64_t> drawn_rows(const MethodInputs& inputs, int64_t count, const std::string& who);

struct Calibration {
  std::vector<int64_t> rows;
  int64_t batch_size = 32;  ///< rows of a backward pass
  bool dropout = false;
};

/// Scores of `parameters`, in their order and shapes, with gradients g_b of batches b at the weights before training. With G the mean
/// of g over the rows, `rule` is
///     gradient                  |G|
///     gradient_squared          mean over the batches of g_b², the empirical Fisher information (of rows for batches of one)
///     magnitude_times_gradient  |w · G|, the first-order change of the loss when w becomes 0 (SNIP, Taylor)
std::vector<at::Tensor> salience(const MethodInputs& inputs, const std::vector<ParameterInfo>& parameters, const Calibration& calibration,
                                 const std::string& rule);

/// |gradient| of a step, summed over its micro-batches, of those of `parameters` that are trained; frozen ones are taken out of the list.
std::vector<at::Tensor> step_salience(const Step& step, std::vector<ParameterInfo>& parameters, const std::string& who);

}  // namespace tsrun::gradient_mask
