#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <set>

namespace tsrun::experiment {

/// Whether a handle stands anywhere inside.
bool holds_handle(const nlohmann::json& value);

/// Handles that a laboratory has returned: an unknown handle was made up or changed by a recipe, a known one is misread by the program.
class HandedOut {
 public:
  void remember(const nlohmann::json& result);  ///< with the handles inside
  /// Whether every handle inside `arguments` was handed out as it is. What a Lua table cannot hold (null, the kind of an empty list) counts
  /// for nothing.
  bool knows(const nlohmann::json& arguments) const;

 private:
  std::set<size_t> digests_;
};

}  // namespace tsrun::experiment
