#pragma once

#include "model/config_reader.h"

#include <ATen/core/Tensor.h>

namespace tsrun {

/// Rotary position embeddings (Su et al., 2021) in the layout of transformers' Llama: element i turns with element i + size / 2.
struct Rotary {
  enum class Scaling { none, linear, llama3 };
  double theta = 10000;
  Scaling scaling = Scaling::none;
  double factor = 1, low_frequency_factor = 1, high_frequency_factor = 4;
  int64_t original_positions = 8192;

  at::Tensor frequencies(int64_t size) const;  ///< float32 [size / 2]
};

/// `rope_theta` and `rope_scaling` (transformers 4) or `rope_parameters` (transformers 5).
/// @throws Error(data) naming `where` and a kind of scaling that is not supported.
Rotary read_rotary(const nlohmann::json& config, const std::string& where);

/// Cosines and sines, float32 [tokens, size], of tokens at `positions`.
struct RotaryTable {
  at::Tensor cosines, sines;
};
RotaryTable rotary_table(const Rotary& rotary, const at::Tensor& positions, int64_t size);

/// x: [tokens, heads * size], each head turned by its token's position.
at::Tensor rotate(const RotaryTable& table, const at::Tensor& x, int64_t heads);

}  // namespace tsrun
