#pragma once

#include "tsrun/base/error.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tsrun::experiment {

struct ArtifactRef;

/// Takes the fields of a handle one by one. A missing field, or one of another type, is an Error(internal) naming kind and field;
/// `Lab::call` turns it into the user's where a recipe made the handle up.
class HandleReader {
 public:
  HandleReader(nlohmann::json handle, const char* kind) : fields_(std::move(handle)), kind_(kind) {
    if (!fields_.is_object()) internal_error("a handle of kind '{}' is {}, expected a table", kind, fields_.type_name());
  }

  template <class T>
  T take(const char* name) {
    auto found = find<T>(name);
    if (!found) internal_error("a handle of kind '{}' lacks '{}'", kind_, name);
    return *std::move(found);
  }

  /// Nothing when the field is absent or null, which a Lua table cannot tell apart.
  template <class T>
  std::optional<T> find(const char* name) {
    const auto found = fields_.find(name);
    if (found == fields_.end()) return std::nullopt;
    const nlohmann::json value = std::move(*found);
    fields_.erase(found);
    return value.is_null() ? std::nullopt : std::optional<T>(converted<T>(value, name));
  }

  /// Everything that was not taken.
  nlohmann::json rest() && { return std::move(fields_); }

 private:
  template <class T>
  T converted(const nlohmann::json& value, const char* name) const {
    if constexpr (requires { T::from_json(value); }) {
      return T::from_json(value);
    } else {
      if (!fits<T>(value)) internal_error("a handle of kind '{}': '{}' is {}, expected {}", kind_, name, value.dump(), noun<T>());
      try {
        return value.get<T>();
      } catch (const nlohmann::json::exception& error) {
        internal_error("a handle of kind '{}': '{}': {}", kind_, name, error.what());
      }
    }
  }

  /// Whether `get` would not round or reinterpret.
  template <class T>
  static bool fits(const nlohmann::json& value) {
    if constexpr (std::is_same_v<T, bool>) return value.is_boolean();
    if constexpr (std::is_integral_v<T>) return value.is_number_integer();
    if constexpr (std::is_floating_point_v<T>) return value.is_number();
    return true;
  }

  template <class T>
  static const char* noun() {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    return std::is_integral_v<T> ? "an integer" : "a number";
  }

  nlohmann::json fields_;
  const char* kind_;
};

/// The fields that every handle has, into `ref`.
void take_artifact(HandleReader& reader, ArtifactRef& ref);

/// Handles in a list, whose kind no option table has checked. @throws Error(user) saying what was `expected`
template <class T>
std::vector<T> refs_in(const nlohmann::json& list, const char* kind, const std::string& expected) {
  std::vector<T> refs;
  for (const nlohmann::json& handle : list) {
    if (!handle.is_object() || handle.value("artifact", nlohmann::json()) != kind) user_error("{}", expected);
    refs.push_back(T::from_json(handle));
  }
  return refs;
}

/// The elements of a list of handles, or of an empty table, which Lua may give in its place.
template <class T>
std::vector<T> handles_in(const nlohmann::json& list) {
  std::vector<T> handles;
  for (const nlohmann::json& handle : list) handles.push_back(T::from_json(handle));
  return handles;
}

}  // namespace tsrun::experiment
