#pragma once

#include "tsrun/model/family.h"

/// Steps from weights to gradients that every training shares.
namespace tsrun::training {

/// A forward pass whose loss is backpropagated.
ForwardOptions training_pass(Key dropout, Precision precision, bool gradient_checkpointing);

/// Adds the gradient of `share` times `loss` to the leaves, when the loss is finite; returns the loss.
double backpropagate(const at::Tensor& loss, double share = 1);

}  // namespace tsrun::training
