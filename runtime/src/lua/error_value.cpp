#include "lua/state.h"

#include "tsrun/base/interrupt.h"

/// What else than text a recipe gives to error(): tables, with or without a __tostring, numbers, nil.
namespace tsrun::lua {
namespace {

constexpr char kRaised = 0;  // its address names the table of raised values in the registry

/// tostring_or_nil(value): what its own __tostring makes of it
int tostring_or_nil(lua_State* lua) {
  if (luaL_getmetafield(lua, 1, "__tostring") == LUA_TNIL) return 0;
  luaL_tolstring(lua, 1, nullptr);
  return 1;
}

std::optional<std::string> own_text(lua_State* lua, int index) {
  if (lua_checkstack(lua, 4) == 0) return std::nullopt;
  lua_pushcfunction(lua, tostring_or_nil);
  lua_pushvalue(lua, index);
  std::optional<std::string> text;
  if (lua_pcall(lua, 1, 1, 0) == LUA_OK && lua_type(lua, -1) == LUA_TSTRING) {
    size_t length = 0;
    const char* data = lua_tolstring(lua, -1, &length);
    text.emplace(data, length);
  }
  lua_pop(lua, 1);
  return text;
}

std::string literal(lua_State* lua, int index, int depth);

constexpr int kLiteralDepth = 3, kLiteralEntries = 12;

/// A table as a recipe would write it, cut where it is long.
std::string table_literal(lua_State* lua, int table, int depth) {
  if (depth > kLiteralDepth || lua_checkstack(lua, 4) == 0) return "{ … }";
  std::string text;
  int count = 0;
  lua_Integer next = 1;
  lua_pushnil(lua);
  while (lua_next(lua, table) != 0) {
    const int value = lua_gettop(lua), key = value - 1;
    const bool listed = lua_isinteger(lua, key) != 0 && lua_tointeger(lua, key) == next;
    if (++count > kLiteralEntries) {
      lua_pop(lua, 2);
      text += ", …";
      break;
    }
    text += count > 1 ? ", " : "";
    if (listed) ++next;
    if (!listed && lua_type(lua, key) == LUA_TSTRING) text += std::string(lua_tolstring(lua, key, nullptr)) + " = ";
    if (!listed && lua_type(lua, key) != LUA_TSTRING) text += "[" + literal(lua, key, depth + 1) + "] = ";
    text += literal(lua, value, depth + 1);
    lua_pop(lua, 1);
  }
  return text.empty() ? "{}" : "{ " + text + " }";
}

/// Raises nothing: numbers are not converted in place, metamethods are not called.
std::string literal(lua_State* lua, int index, int depth) {
  switch (lua_type(lua, index)) {
    case LUA_TNIL:
      return "nil";
    case LUA_TBOOLEAN:
      return lua_toboolean(lua, index) != 0 ? "true" : "false";
    case LUA_TNUMBER:
      return lua_isinteger(lua, index) != 0 ? std::to_string(lua_tointeger(lua, index)) : fmt::format("{:.14g}", lua_tonumber(lua, index));
    case LUA_TSTRING: {
      size_t length = 0;
      const char* data = lua_tolstring(lua, index, &length);
      return depth == 0 ? std::string(data, length) : fmt::format("\"{}\"", std::string_view(data, length));
    }
    case LUA_TTABLE:
      return table_literal(lua, index, depth);
    default:
      return fmt::format("a {}", luaL_typename(lua, index));
  }
}

/// Where error() was given this table first, else where `thread` is.
std::string place_of(lua_State* lua, int index, lua_State* thread) {
  std::string place;
  if (lua_type(lua, index) == LUA_TTABLE && lua_checkstack(lua, 3) != 0) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &kRaised);
    lua_pushvalue(lua, index);
    size_t length = 0;
    const char* data = lua_rawget(lua, -2) == LUA_TSTRING ? lua_tolstring(lua, -1, &length) : "";
    place.assign(data, length);
    lua_pop(lua, 2);
  }
  return place.empty() ? location(thread) : place;
}

}  // namespace

Host::Failure value_failure(lua_State* lua, int index, lua_State* thread) {
  const auto& host = host_of(lua);
  const auto place = place_of(lua, index, thread);
  auto text = own_text(lua, index);
  if (interrupted()) return {ErrorKind::interrupt, "interrupted", ""};
  if (text && is_placed(*text, host.recipe)) return {ErrorKind::user, *text, ""};
  if (!text && lua_type(lua, index) == LUA_TNUMBER) text = literal(lua, index, 0);
  return {ErrorKind::user, place + (text ? *text : "error with the value " + literal(lua, index, 0)), ""};
}

void prepare_raised(lua_State* lua) {
  lua_createtable(lua, 0, 0);
  lua_createtable(lua, 0, 1);
  lua_pushstring(lua, "k");
  lua_setfield(lua, -2, "__mode");
  lua_setmetatable(lua, -2);
  lua_rawsetp(lua, LUA_REGISTRYINDEX, &kRaised);
}

int raise_value(lua_State* lua) {
  const auto level = static_cast<int>(luaL_optinteger(lua, 2, 1));
  lua_settop(lua, 1);
  if (lua_type(lua, 1) == LUA_TSTRING && level > 0) {
    luaL_where(lua, level);
    lua_insert(lua, 1);
    lua_concat(lua, 2);
  } else if (lua_type(lua, 1) == LUA_TTABLE) {
    host_of(lua).failure.message = location(lua);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &kRaised);
    lua_pushvalue(lua, 1);
    const bool known = lua_rawget(lua, 2) != LUA_TNIL;
    lua_pushvalue(lua, 1);
    lua_pushlstring(lua, host_of(lua).failure.message.data(), host_of(lua).failure.message.size());
    if (!known) lua_rawset(lua, 2);
    lua_settop(lua, 1);
  }
  return lua_error(lua);
}

}  // namespace tsrun::lua
