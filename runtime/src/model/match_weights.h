#pragma once

#include "model/ties.h"
#include "tsrun/checkpoint/safetensors.h"

#include <functional>
#include <string>
#include <vector>

namespace tsrun::model {

/// A checkpoint's tensors under a family's names and shapes, as those of `as_float32`.
struct MatchedWeights {
  Weights weights;                   ///< in the family's order, without the missing ones
  std::vector<std::string> missing;  ///< parameters of pooler or head that the checkpoint lacks
  std::vector<std::string> unused;   ///< tensors of other heads
};

/// A checkpoint's tensors by the family's names. @throws Error(data) when one name has two tensors
StoredTensors stored_tensors(const std::vector<TensorInfo>& tensors, const NameRules& rules, const std::string& where);

/// @throws Error(data) listing every embedding or encoder weight that is missing, every unexpected and every mis-shaped tensor.
MatchedWeights match_weights(const std::vector<TensorInfo>& tensors, const Family& family, const std::string& where);

}  // namespace tsrun::model
