#pragma once

#include "model/config_reader.h"

#include <cstdint>
#include <vector>

/// Attention window of each layer, the query included, by config.json as transformers 5 reads it; 0: all tokens before the query.
namespace tsrun::model {

/// Mistral: `sliding_window` in all layers; `layer_types` may only repeat that. @throws Error(data) when it contradicts
std::vector<int64_t> read_mistral_windows(const ConfigReader& reader, const nlohmann::json& json, int64_t layers);

/// Qwen2, with `use_sliding_window`: the layers that `layer_types` names, else those from `max_window_layers` on.
/// @throws Error(data) for a sliding layer without a window
std::vector<int64_t> read_qwen2_windows(const ConfigReader& reader, const nlohmann::json& json, int64_t layers);

}  // namespace tsrun::model
