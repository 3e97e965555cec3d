#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

/// The fields of transformers' GenerationConfig.
namespace tsrun::model {

/// @throws Error(data) naming `where` and a field that is unknown or set to something unsupported
void check_generation_fields(const nlohmann::json& fields, const std::string& where);

/// The fields that can change the text, supported or not.
std::vector<std::string> acting_generation_fields();

}  // namespace tsrun::model
