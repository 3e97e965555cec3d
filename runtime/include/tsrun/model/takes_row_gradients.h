#pragma once

#include <torch/csrc/autograd/function.h>

namespace tsrun {

/// A backward node whose output may be an embedding table: of a backward pass under AddsGradientsInPlace it takes the gradient as a sparse
/// tensor of rows, which may repeat.
class TakesRowGradients : public torch::autograd::Node {};

}  // namespace tsrun
