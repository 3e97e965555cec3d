#include "model/sliding_windows.h"

#include "tsrun/base/error.h"

#include <string>

namespace tsrun::model {
namespace {

/// `layer_types`, one for each layer; empty when they are not stated.
std::vector<std::string> read_layer_types(const ConfigReader& reader, const nlohmann::json& json, int64_t layers) {
  std::vector<std::string> types;
  if (!reader.has("layer_types")) return types;
  const nlohmann::json& given = json.at("layer_types");
  const auto wrong = [&](const nlohmann::json& found, const std::string& expected) {
    data_error("{}: field 'layer_types' is {}, expected {}", reader.where(), shortened(found), expected);
  };
  if (!given.is_array() || static_cast<int64_t>(given.size()) != layers)
    wrong(given, fmt::format("a list of {} types, one a layer (num_hidden_layers)", layers));
  for (const nlohmann::json& type : given) {
    if (type != "full_attention" && type != "attention" && type != "sliding_attention")
      wrong(type, "\"full_attention\" or \"sliding_attention\"");
    types.push_back(type == "attention" ? "full_attention" : type.get<std::string>());
  }
  return types;
}

/// `sliding_window`, which is 4096 in a config.json that lacks it and nothing in one that says null; 0: none.
int64_t read_window(const ConfigReader& reader) {
  if (reader.stated("sliding_window") && !reader.has("sliding_window")) return 0;
  return reader.integer("sliding_window", 1, int64_t{1} << 40, 4096);
}

}  // namespace

std::vector<int64_t> read_mistral_windows(const ConfigReader& reader, const nlohmann::json& json, int64_t layers) {
  const int64_t window = read_window(reader);
  const std::string expected = window > 0 ? "sliding_attention" : "full_attention";
  for (const std::string& type : read_layer_types(reader, json, layers)) {
    if (type != expected)
      data_error("{}: field 'layer_types' has \"{}\" and sliding_window is {}, expected \"{}\" for every layer", reader.where(), type,
                 window > 0 ? std::to_string(window) : "null", expected);
  }
  return std::vector<int64_t>(static_cast<size_t>(layers), window);
}

std::vector<int64_t> read_qwen2_windows(const ConfigReader& reader, const nlohmann::json& json, int64_t layers) {
  const int64_t window = reader.flag("use_sliding_window", false) ? read_window(reader) : 0;
  const int64_t first = reader.integer("max_window_layers", 0, int64_t{1} << 20, 28);
  const std::vector<std::string> types = read_layer_types(reader, json, layers);
  std::vector<int64_t> windows;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const bool slides = types.empty() ? window > 0 && layer >= first : types[static_cast<size_t>(layer)] == "sliding_attention";
    if (slides && window == 0)
      data_error(
          "{}: field 'layer_types' has \"sliding_attention\" for layer {}, but there is no window: expected use_sliding_window: true "
          "and a number for sliding_window",
          reader.where(), layer);
    windows.push_back(slides ? window : 0);
  }
  return windows;
}

}  // namespace tsrun::model
