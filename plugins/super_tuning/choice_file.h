#pragma once

#include "tsrun/model/family.h"

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tsrun::super_tuning {

/// Parameters with scores, and parameters with masks.
struct FileChoice {
  std::vector<ParameterInfo> scored;  ///< in the model's order
  std::vector<at::Tensor> scores;     ///< float32, of their shapes
  std::map<std::string, at::Tensor> masks;
};

/// A safetensors file with one tensor a parameter, under its name:
///     float16, bfloat16, float32, float64 of its shape   scores
///     bool, uint8 of its shape                           a mask: true, or not 0, where it is trained
///     int32, int64 of one dimension                      positions of the trained elements in the flattened parameter, each once
/// @throws Error(data) naming file and tensor, what was found and what was expected: an unknown name, another shape or type, scores that
/// are not finite, a position outside or twice
FileChoice read_choice(const std::filesystem::path& file, const Family& family);

}  // namespace tsrun::super_tuning
