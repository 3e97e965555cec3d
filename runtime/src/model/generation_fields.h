#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

/// The fields of transformers' GenerationConfig.
namespace tsrun {

/// @throws Error(data) naming `where` and a field that asks for something that is not done here, or that is unknown
void check_generation_fields(const nlohmann::json& fields, const std::string& where);

/// Those that can change a text, done here or not.
std::vector<std::string> acting_generation_fields();

}  // namespace tsrun
