#pragma once

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/model/model.h"
#include "tsrun/plugin/host.h"

#include <filesystem>
#include <string>

/// The tiny models of tests/goldens, and the plugins of this build.
namespace tsrun {

inline std::filesystem::path goldens() { return std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens"; }

inline const PluginHost& built_plugins() {
  static const PluginHost* loaded = [] {
    auto* fresh = new PluginHost();  // libraries with LibTorch in them are never unloaded
    fresh->load({std::filesystem::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"});
    for (const RefusedPlugin& refused : fresh->refused()) data_error("{}", refused.reason);
    return fresh;
  }();
  return *loaded;
}

/// `base` ("bert", "gpt2", "t5") with the weights of its goldens, the head's included; without a tokenizer.
inline Model golden_model(const std::string& base) {
  const auto tiny = goldens() / (base + "_tiny");
  const HeadSpec head =
      base == "bert" ? HeadSpec{HeadKind::classification, 3} : HeadSpec{base == "gpt2" ? HeadKind::causal_lm : HeadKind::seq2seq_lm, 0};
  Model model;
  model.family = make_family(read_json(tiny / "config.json"), head, "config.json");
  const Weights loaded = load_weights(tiny / "model.safetensors", *model.family);
  const SafetensorsFile own = SafetensorsFile::open(tiny / "goldens.safetensors");
  for (const ParameterInfo& info : model.family->parameters()) {
    const TensorInfo* value = info.part == Part::head ? own.find("classification." + info.name) : nullptr;
    model.weights.set(info.name, value ? as_tensor(*value).clone() : loaded.at(info.name).clone());
  }
  return model;
}

}  // namespace tsrun
