#pragma once

#include "tsrun/model/family.h"

namespace tsrun::training {

/// Work in the matrix products of a model's layers, as shares of a training of everything that runs every batch once. The unit of a product
/// is the number of its weights: a forward pass counts each weight once, a backward pass twice, for the gradient of the input and that of
/// the weight.
struct LayerWork {
  double forward = 1, backward = 1;
};

/// Work of probes, in passes of one row through the whole model.
struct ProbedRows {
  double forward = 0, backward = 0;
};

/// Work of a step that trains those of `weights` that require a gradient, with the output of the lowest `cached` layers at hand. Layers
/// from the lowest trained parameter up compute gradients of their inputs; embeddings and deltas outside layers lie below all of them.
LayerWork layer_work(const Family& family, const Weights& weights, int cached);

}  // namespace tsrun::training
