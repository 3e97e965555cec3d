#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <map>
#include <string>

namespace tsrun::experiment {

/// Whether a handle stands anywhere inside.
bool holds_handle(const nlohmann::json& value);

/// Handles that a laboratory has returned: an unknown handle was made up or changed by a recipe, a known one is misread by the program.
class HandedOut {
 public:
  void remember(const nlohmann::json& result);  ///< with the handles inside
  /// Whether every handle inside `arguments` was handed out as it is, but for fields that the recipe added. What a Lua table cannot hold
  /// (null, the kind of an empty list) counts for nothing.
  bool knows(const nlohmann::json& arguments) const;

 private:
  using Fields = std::map<std::string, size_t>;  ///< digests by name
  static Fields fields_of(const nlohmann::json& handle);
  static size_t identity_of(const nlohmann::json& handle);
  bool knows_handle(const nlohmann::json& handle) const;

  std::multimap<size_t, Fields> handles_;
};

}  // namespace tsrun::experiment
