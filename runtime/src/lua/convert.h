#pragma once

#include <lua.hpp>
#include <nlohmann/json.hpp>

#include <string>

/// Lua values and JSON. Reading never raises a Lua error (it throws tsrun::Error); writing may, when memory is out, and therefore keeps
/// nothing with a destructor on the C++ stack.
namespace tsrun::lua {

/// The value at `index`. Tables with keys 1..n are lists, tables with text keys are objects; a table that came from JSON keeps its kind
/// when empty, any other empty table is an object. @throws Error(user) naming `place` ("train.tune"): functions, holes, mixed keys, cycles,
/// text that is not UTF-8.
nlohmann::json to_json(lua_State* lua, int index, const std::string& place);

/// Pushes `value`. null becomes nil.
void push_json(lua_State* lua, const nlohmann::json& value);

/// Creates the metatables that mark lists and objects.
void prepare_conversion(lua_State* lua);

}  // namespace tsrun::lua
