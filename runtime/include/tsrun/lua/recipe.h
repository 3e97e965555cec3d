#pragma once

#include "tsrun/experiment/lab.h"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

struct RecipeSettings {
  std::map<std::string, std::string> values;          ///< --set k=v
  bool traceback = false;                             ///< --debug
  int64_t memory_limit = int64_t{1} << 30;            ///< bytes Lua may hold
  std::function<void(int64_t points)> on_sweep = {};  ///< a sweep of so many points starts; 0: it has ended
  std::function<void()> before_work = {};             ///< called before a stage is computed (not when it is read)
};

/// Runs a recipe in a sandbox: text chunks only; no io, os.execute, package.loadlib, debug, load of bytecode; unknown globals are errors.
/// @throws Error whose message starts with "recipe.lua:line: ".
void run_recipe(Lab& lab, const std::filesystem::path& recipe, const RecipeSettings& settings);

/// What a recipe takes with --set: runs it up to its call of ts.arguments. `lab` should be planning only.
OptionTable recipe_arguments(Lab& lab, const std::filesystem::path& recipe);

/// A function of `ts` beside the operations; one of an operation's name hides it.
struct RecipeHelper {
  struct Parameter {
    std::string_view name, type;  ///< as the Lua language server writes them
  };
  std::string_view name;
  std::vector<Parameter> parameters;
  std::string_view result, doc;  ///< result: a type
  std::string call() const;      ///< "ts.within(basis, options)"
};
const std::vector<RecipeHelper>& recipe_helpers();
/// The operations that recipes call by their own names.
std::vector<Operation> recipe_operations(const Lab& lab);

/// LuaLS stubs of the `ts` module, and its reference page, from the operations' option tables.
std::string lua_stubs(const Lab& lab);
std::string reference_page(const Lab& lab);

}  // namespace tsrun
