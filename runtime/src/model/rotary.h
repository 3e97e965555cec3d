#pragma once

#include "model/config_reader.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace tsrun::model {

/// Rotary position embeddings (Su et al., 2021) in the layout of transformers' Llama: element i turns with element i + size / 2.
struct Rotary {
  enum class Scaling {
    none,
    linear,
    llama3,
    dynamic,  ///< NTK-aware, by the row's length (bloc97 and emozilla, 2023)
    yarn      ///< Peng et al., 2023, arXiv:2309.00071
  };
  double theta = 10000;
  Scaling scaling = Scaling::none;
  double factor = 1, low_frequency_factor = 1, high_frequency_factor = 4;
  int64_t positions = 0;                           ///< max_position_embeddings: longer rows are scaled under `dynamic`
  int64_t original_positions = 8192;               ///< positions of the pre-training before scaling
  double fast_rotations = 32, slow_rotations = 1;  ///< yarn: turns within the original positions where the blend begins and ends
  bool whole_dimensions = true;                    ///< yarn: the blend begins and ends at whole dimensions
  double amplitude = 1;                            ///< factor of cosines and sines

  /// Frequencies, float32 [size / 2], for a row of `length` tokens.
  at::Tensor frequencies(int64_t size, int64_t length = 0) const;
  /// Longest supported row, at least `positions`; very large where the scaling adapts to the row.
  int64_t reach() const;
};

/// `rope_scaling` (transformers 4; it wins where both are there) or `rope_parameters` (transformers 5), with `rope_theta` and
/// `original_max_position_embeddings` beside them. @throws Error(data) naming `where`, a kind of scaling or a field that is not supported.
Rotary read_rotary(const nlohmann::json& config, const std::string& where, int64_t size, int64_t positions);

/// Rotary fields of a config.json that its kind of scaling ignores, one line each.
std::vector<std::string> idle_rotary_fields(const nlohmann::json& config);

/// Cosines and sines, float32 [tokens, size], of tokens at `positions` in the rows at `offsets`.
struct RotaryTable {
  at::Tensor cosines, sines;
};
RotaryTable rotary_table(const Rotary& rotary, const at::Tensor& positions, const std::vector<int64_t>& offsets, int64_t size);

/// Rotary embedding of x [tokens, heads * size] by each token's position.
at::Tensor rotate(const RotaryTable& table, const at::Tensor& x, int64_t heads);

}  // namespace tsrun::model
