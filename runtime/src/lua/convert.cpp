#include "lua/convert.h"

#include "tsrun/base/error.h"

namespace tsrun::lua {
namespace {

using nlohmann::json;

constexpr const char* kList = "tsrun list";
constexpr const char* kObject = "tsrun object";
constexpr int kDepth = 64;

json value_to_json(lua_State* lua, int index, const std::string& place, int depth);

std::string text_to_json(lua_State* lua, int index, const std::string& place) {
  size_t length = 0;
  const char* data = lua_tolstring(lua, index, &length);
  std::string text(data, length);
  try {
    (void)json(text).dump();
  } catch (const json::exception&) {
    user_error("{}: the text is not valid UTF-8", place);
  }
  return text;
}

json list_to_json(lua_State* lua, int table, lua_Unsigned length, const std::string& place, int depth) {
  json list = json::array();
  for (lua_Unsigned i = 1; i <= length; ++i) {
    lua_rawgeti(lua, table, static_cast<lua_Integer>(i));
    list.push_back(value_to_json(lua, lua_gettop(lua), fmt::format("{}[{}]", place, i), depth));
    lua_pop(lua, 1);
  }
  return list;
}

json object_to_json(lua_State* lua, int table, const std::string& place, int depth) {
  json object = json::object();
  lua_pushnil(lua);
  while (lua_next(lua, table) != 0) {
    if (lua_type(lua, -2) != LUA_TSTRING)
      user_error("{}: a table has either names or positions 1, 2, … without holes, not a mixture", place);
    const auto name = text_to_json(lua, -2, place);
    object[name] = value_to_json(lua, lua_gettop(lua), place + "." + name, depth);
    lua_pop(lua, 1);
  }
  return object;
}

/// Number of entries of a table, whatever their keys.
lua_Unsigned entries(lua_State* lua, int table) {
  lua_Unsigned count = 0;
  lua_pushnil(lua);
  while (lua_next(lua, table) != 0) {
    ++count;
    lua_pop(lua, 1);
  }
  return count;
}

bool is_marked_list(lua_State* lua, int table) {
  if (lua_getmetatable(lua, table) == 0) return false;
  lua_getfield(lua, LUA_REGISTRYINDEX, kList);
  const bool same = lua_rawequal(lua, -1, -2) != 0;
  lua_pop(lua, 2);
  return same;
}

json table_to_json(lua_State* lua, int table, const std::string& place, int depth) {
  if (depth > kDepth) user_error("{}: tables are nested more than {} deep, or a table holds itself", place, kDepth);
  const auto length = lua_rawlen(lua, table);
  if (entries(lua, table) == 0) return is_marked_list(lua, table) ? json::array() : json::object();
  if (length > 0 && entries(lua, table) == length) return list_to_json(lua, table, length, place, depth + 1);
  return object_to_json(lua, table, place, depth + 1);
}

json value_to_json(lua_State* lua, int index, const std::string& place, int depth) {
  if (lua_checkstack(lua, 8) == 0) user_error("{}: tables are nested too deeply", place);
  switch (lua_type(lua, index)) {
    case LUA_TNIL:
    case LUA_TNONE:
      return nullptr;
    case LUA_TBOOLEAN:
      return lua_toboolean(lua, index) != 0;
    case LUA_TNUMBER:
      return lua_isinteger(lua, index) != 0 ? json(lua_tointeger(lua, index)) : json(lua_tonumber(lua, index));
    case LUA_TSTRING:
      return text_to_json(lua, index, place);
    case LUA_TTABLE:
      return table_to_json(lua, index, place, depth);
    default:
      user_error("{}: expected plain values (numbers, text, booleans, tables, artifacts), found a {}", place,
                 lua_typename(lua, lua_type(lua, index)));
  }
}

}  // namespace

json to_json(lua_State* lua, int index, const std::string& place) {
  const int top = lua_gettop(lua);
  auto value = value_to_json(lua, lua_absindex(lua, index), place, 0);
  lua_settop(lua, top);
  return value;
}

void push_json(lua_State* lua, const json& value) {
  luaL_checkstack(lua, 4, "tables are nested too deeply");
  switch (value.type()) {
    case json::value_t::boolean:
      lua_pushboolean(lua, value.get<bool>() ? 1 : 0);
      return;
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      lua_pushinteger(lua, value.get<lua_Integer>());
      return;
    case json::value_t::number_float:
      lua_pushnumber(lua, value.get<double>());
      return;
    case json::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      lua_pushlstring(lua, text.data(), text.size());
      return;
    }
    case json::value_t::array:
      lua_createtable(lua, static_cast<int>(value.size()), 0);
      for (size_t i = 0; i < value.size(); ++i) {
        push_json(lua, value[i]);
        lua_rawseti(lua, -2, static_cast<lua_Integer>(i + 1));
      }
      luaL_setmetatable(lua, kList);
      return;
    case json::value_t::object:
      lua_createtable(lua, 0, static_cast<int>(value.size()));
      for (auto entry = value.begin(); entry != value.end(); ++entry) {
        lua_pushlstring(lua, entry.key().data(), entry.key().size());
        push_json(lua, entry.value());
        lua_rawset(lua, -3);
      }
      luaL_setmetatable(lua, kObject);
      return;
    default:
      lua_pushnil(lua);
  }
}

void prepare_conversion(lua_State* lua) {
  luaL_newmetatable(lua, kList);
  luaL_newmetatable(lua, kObject);
  lua_pop(lua, 2);
}

}  // namespace tsrun::lua
