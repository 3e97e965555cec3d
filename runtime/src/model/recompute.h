#pragma once

#include "tsrun/model/weights.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace tsrun::model {

/// A part of a model as a function of its input and its weights.
using RecomputedPart = std::function<at::Tensor(const at::Tensor& x, const Weights& weights)>;

/// `run(x, weights)` under gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): backward runs it again and differentiates that.
/// Gradients are bit for bit those of the plain call.
///
/// `names` are the weights that `run` sees: leaves, views of a flat buffer, or results of other operations. Captured objects must outlive
/// backward: capture copies, not references to the forward pass. A captured leaf gets its gradient as usual (under `backward`, not under
/// `autograd::grad`); captured tensors with a history are not supported: name them. `run` must be a pure function whose random numbers
/// depend on keys alone, because it runs twice.
///
/// The plain call where no named tensor needs a gradient.
/// @throws Error(internal) in a backward pass that is to be differentiated itself.
at::Tensor recomputed(const at::Tensor& x, const Weights& weights, const std::vector<std::string>& names, const RecomputedPart& run);

}  // namespace tsrun::model
