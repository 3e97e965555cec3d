#pragma once

#include "tsrun/base/options.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace tsrun::app {

/// An entry of `tsrun describe`: a verb, an operation, a helper, a recipe or a plugin, with its options.
struct Described {
  std::string name, kind;  ///< kind: verb, operation, helper, recipe, or a plugin's
  std::string doc;
  int version = 0;        ///< 0: none
  std::string file = {};  ///< of plugins and recipes
  OptionTable options = {};
  std::string result = {};  ///< of operations: kind of what they return
  std::string call = {};    ///< of helpers, which have no option table: "ts.within(basis, options)"
};

std::string text_of(const Described& one);
nlohmann::json json_of(const Described& one);
/// Name and sentence of those of these kinds, a line each.
std::string lines_of(const std::vector<Described>& all, const std::vector<std::string>& kinds);
std::string name_lines(const std::vector<std::string>& names);

}  // namespace tsrun::app
