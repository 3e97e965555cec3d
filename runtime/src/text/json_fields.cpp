#include "text/json_fields.h"

#include "tsrun/base/error.h"

namespace tsrun::text {
namespace {

const nlohmann::json* present(const nlohmann::json& object, const char* key, const std::string& where) {
  if (!object.is_object()) data_error("{}: found {} where '{}' should be, expected an object", where, object.type_name(), key);
  const auto field = object.find(key);
  return field == object.end() || field->is_null() ? nullptr : &*field;
}

[[noreturn]] void wrong_type(const nlohmann::json& field, const char* key, const std::string& where, const char* expected) {
  const std::string found = field.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 60);
  data_error("{}: {} is {}, expected {}", where, key, found, expected);
}

}  // namespace

std::optional<bool> flag_field(const nlohmann::json& object, const char* key, const std::string& where) {
  const nlohmann::json* field = present(object, key, where);
  if (!field) return std::nullopt;
  if (!field->is_boolean()) wrong_type(*field, key, where, "true or false");
  return field->get<bool>();
}

std::optional<std::string> text_field(const nlohmann::json& object, const char* key, const std::string& where) {
  const nlohmann::json* field = present(object, key, where);
  if (!field) return std::nullopt;
  if (!field->is_string()) wrong_type(*field, key, where, "a text");
  return field->get<std::string>();
}

std::optional<int64_t> integer_field(const nlohmann::json& object, const char* key, const std::string& where) {
  const nlohmann::json* field = present(object, key, where);
  if (!field) return std::nullopt;
  if (!field->is_number_integer()) wrong_type(*field, key, where, "an integer");
  return field->get<int64_t>();
}

std::optional<std::string> token_field(const nlohmann::json& object, const char* key, const std::string& where) {
  const nlohmann::json* field = present(object, key, where);
  if (!field) return std::nullopt;
  if (field->is_object()) return text_field(*field, "content", where);
  return text_field(object, key, where);
}

std::string type_field(const nlohmann::json& parent, const char* key, const std::string& where) {
  const nlohmann::json* field = present(parent, key, where);
  return field ? text_field(*field, "type", where).value_or("") : "";
}

}  // namespace tsrun::text
