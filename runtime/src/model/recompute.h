#pragma once

#include "tsrun/model/weights.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace tsrun {

/// A part of a model as a function of its input and of the weights it reads.
using RecomputedPart = std::function<at::Tensor(const at::Tensor& x, const Weights& weights)>;

/// `run(x, weights)` without its intermediates: backward runs it once more and differentiates that (gradient checkpointing, Chen et al.
/// 2016, arXiv:1604.06174). Gradients are those of the plain call, operation by operation; so are bits.
///
/// `names` are the weights that `run` reads; it sees no others, so that one which is not named is an error at once. They may be leaves,
/// views of a flat buffer, or results of other operations. What `run` captures beside them must outlive backward: capture copies, not
/// references to a forward pass that is over by then. A captured leaf gathers its gradient as usual (under `backward`, not under
/// `autograd::grad`); a captured tensor with a history of its own is not supported: name it. `run` must be a pure function, with random
/// draws that depend on keys alone, because it runs twice.
///
/// Where nothing is to be differentiated, or only captured tensors are, this is the plain call.
/// @throws Error(internal) in a backward pass that is to be differentiated itself.
at::Tensor recomputed(const at::Tensor& x, const Weights& weights, const std::vector<std::string>& names, const RecomputedPart& run);

}  // namespace tsrun
