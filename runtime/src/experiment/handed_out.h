#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <set>

namespace tsrun {

/// Handles that a laboratory has returned, which tells a handle that a recipe made up or changed from one that the program misreads.
class HandedOut {
 public:
  void remember(const nlohmann::json& result);  ///< with the handles inside
  /// Whether every handle inside `arguments` was handed out as it is. What a Lua table cannot hold (null, the kind of an empty list) counts
  /// for nothing.
  bool knows(const nlohmann::json& arguments) const;

 private:
  std::set<size_t> digests_;
};

}  // namespace tsrun
