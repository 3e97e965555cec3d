#pragma once

#include "model/config_reader.h"

#include <cstdint>
#include <vector>

/// How many tokens the queries of each layer see, themselves included, by config.json as transformers 5 reads it; 0: all before them.
namespace tsrun {

/// Mistral: `sliding_window` in all layers; `layer_types` may only repeat that. @throws Error(data) when it says something else
std::vector<int64_t> read_mistral_windows(const ConfigReader& reader, const nlohmann::json& json, int64_t layers);

/// Qwen2, with `use_sliding_window`: the layers that `layer_types` names, else those from `max_window_layers` on.
/// @throws Error(data) for a layer that slides without a window
std::vector<int64_t> read_qwen2_windows(const ConfigReader& reader, const nlohmann::json& json, int64_t layers);

}  // namespace tsrun
