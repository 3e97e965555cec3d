#pragma once

#include "tsrun/tune/peft.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace tsrun {

/// PEFT's adapter_config.json, in the file's order. @throws Error(data) for a file that is none.
nlohmann::ordered_json read_peft_config(const std::filesystem::path& file);

/// @throws Error(data) naming the file `where`, for a field that changes what the method computes and that nothing here honours.
void check_peft_fields(const nlohmann::ordered_json& config, const PeftType& type, const std::string& where);

}  // namespace tsrun
