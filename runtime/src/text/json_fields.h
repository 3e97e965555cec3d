#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

/// Typed fields of foreign JSON files. Null counts as absent; a wrong type is Error(data) "`where`: key is 3, expected a text".
namespace tsrun::text {

std::optional<bool> flag_field(const nlohmann::json& object, const char* key, const std::string& where);
std::optional<std::string> text_field(const nlohmann::json& object, const char* key, const std::string& where);
std::optional<int64_t> integer_field(const nlohmann::json& object, const char* key, const std::string& where);

/// A token is written as a text or as an object with `content`.
std::optional<std::string> token_field(const nlohmann::json& object, const char* key, const std::string& where);

/// `type` of an object, "" when the object is absent or null or says nothing.
std::string type_field(const nlohmann::json& parent, const char* key, const std::string& where);

}  // namespace tsrun::text
