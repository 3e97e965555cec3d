#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace tsrun {

/// PEFT's adapter_config.json, whose patterns of ranks and alphas are lists of pairs here, in the file's order. @throws Error(data) for a
/// file that is none, and for a field that changes what the method computes and that nothing here honours.
nlohmann::json read_peft_config(const std::filesystem::path& file);

}  // namespace tsrun
