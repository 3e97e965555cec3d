#include "lua/state.h"

/// Failures on their way through Lua: errors of ours, as objects that keep their kind, and messages of Lua itself.
namespace tsrun::lua {
namespace {

/// Lua shortens long chunk names to "...tail"; messages show the name as the user wrote it.
std::string with_full_name(std::string message, const std::string& recipe) {
  constexpr size_t kShown = LUA_IDSIZE - 4;  // what luaO_chunkid keeps of a long name
  if (recipe.size() <= kShown || !message.starts_with("...")) return message;
  const auto tail = recipe.substr(recipe.size() - kShown);
  return message.compare(3, tail.size(), tail) == 0 ? recipe + message.substr(3 + tail.size()) : message;
}

std::string text_field(lua_State* lua, int table, const char* name) {
  lua_pushstring(lua, name);
  lua_rawget(lua, table);
  size_t length = 0;
  const char* data = lua_type(lua, -1) == LUA_TSTRING ? lua_tolstring(lua, -1, &length) : "";
  std::string text(data, length);
  lua_pop(lua, 1);
  return text;
}

bool is_error_object(lua_State* lua, int index) {
  if (lua_type(lua, index) != LUA_TTABLE || lua_getmetatable(lua, index) == 0) return false;
  luaL_getmetatable(lua, kErrorMetatable);
  const bool same = lua_rawequal(lua, -1, -2) != 0;
  lua_pop(lua, 2);
  return same;
}

Host::Failure read_error_object(lua_State* lua, int index) {
  Host::Failure failure;
  lua_getfield(lua, index, "kind");
  failure.kind = static_cast<ErrorKind>(lua_tointeger(lua, -1));
  lua_pop(lua, 1);
  failure.message = text_field(lua, index, "message");
  failure.trace = text_field(lua, index, "trace");
  failure.diverged = text_field(lua, index, "diverged");
  lua_getfield(lua, index, "steps");
  failure.steps = lua_tointeger(lua, -1);
  lua_pop(lua, 1);
  return failure;
}

/// A message of Lua itself that names our own chunk. A bad argument came from the recipe through a wrapper of ours, so it gets the recipe's
/// line; anything else is a bug of ours.
void blame(Host::Failure& failure, lua_State* thread) {
  if (!failure.message.starts_with(kOwnChunk)) return;
  const auto place = failure.message.find(": ");
  const bool theirs =
      failure.message.find("bad argument") != std::string::npos || failure.message.find("protected metatable") != std::string::npos;
  if (theirs && place != std::string::npos)
    failure.message = location(thread) + failure.message.substr(place + 2);
  else
    failure.kind = ErrorKind::internal;
}

/// A message of Lua itself, or a text that a recipe gave to error().
Host::Failure text_failure(const Host& host, std::string message, lua_State* thread) {
  Host::Failure failure{ErrorKind::user, std::move(message), ""};
  blame(failure, thread);
  if (failure.message == "not enough memory") {
    failure.kind = ErrorKind::run;
    failure.message =
        fmt::format("{}: not enough memory: the recipe holds more than {} MiB", host.recipe, host.settings.memory_limit >> 20);
  }
  failure.message = with_full_name(std::move(failure.message), host.recipe);
  if (failure.kind == ErrorKind::user && !is_placed(failure.message, host.recipe)) failure.message.insert(0, location(thread));
  return failure;
}

void keep_traceback(lua_State* lua, lua_State* thread) {
  luaL_traceback(lua, thread != nullptr ? thread : lua, nullptr, thread != nullptr ? 0 : 1);
  size_t length = 0;
  const char* data = lua_tolstring(lua, -1, &length);
  host_of(lua).failure.trace.assign(data, length);
  lua_pop(lua, 1);
}

}  // namespace

std::string location(lua_State* lua) {
  const auto& host = host_of(lua);
  lua_rawgeti(lua, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State* main = lua_tothread(lua, -1);
  lua_pop(lua, 1);
  for (lua_State* thread : {lua, main}) {
    lua_Debug frame;
    for (int level = 0; lua_getstack(thread, level, &frame) != 0; ++level) {
      lua_getinfo(thread, "Sl", &frame);
      if (frame.source[0] == '@' && frame.currentline > 0) return fmt::format("{}:{}: ", frame.source + 1, frame.currentline);
    }
  }
  return host.recipe + ": ";
}

void push_failure(lua_State* lua, lua_State* thread) {
  auto& failure = host_of(lua).failure;
  if (host_of(lua).settings.traceback && failure.trace.empty()) keep_traceback(lua, thread);
  lua_createtable(lua, 0, 3);
  lua_pushinteger(lua, static_cast<lua_Integer>(failure.kind));
  lua_setfield(lua, -2, "kind");
  lua_pushlstring(lua, failure.message.data(), failure.message.size());
  lua_setfield(lua, -2, "message");
  lua_pushlstring(lua, failure.trace.data(), failure.trace.size());
  lua_setfield(lua, -2, "trace");
  if (!failure.diverged.empty()) {
    lua_pushlstring(lua, failure.diverged.data(), failure.diverged.size());
    lua_setfield(lua, -2, "diverged");
    lua_pushinteger(lua, failure.steps);
    lua_setfield(lua, -2, "steps");
  }
  luaL_setmetatable(lua, kErrorMetatable);
}

int raise(lua_State* lua) {
  push_failure(lua, nullptr);
  return lua_error(lua);
}

Host::Failure failure_at(lua_State* lua, int index, lua_State* thread) {
  index = lua_absindex(lua, index);
  if (is_error_object(lua, index)) return read_error_object(lua, index);
  lua_State* where = thread != nullptr ? thread : lua;
  if (lua_type(lua, index) != LUA_TSTRING) return value_failure(lua, index, where);
  size_t length = 0;
  const char* data = lua_tolstring(lua, index, &length);
  return text_failure(host_of(lua), std::string(data, length), where);
}

bool is_fatal(lua_State* lua, int index) {
  index = lua_absindex(lua, index);
  if (!is_error_object(lua, index) && lua_type(lua, index) != LUA_TSTRING) return false;
  const auto kind = failure_at(lua, index, lua).kind;
  return kind == ErrorKind::interrupt || kind == ErrorKind::internal || kind == kStop;
}

bool is_placed(const std::string& message, const std::string& recipe) {
  return message.starts_with(recipe + ":") || message.starts_with("[string \"") || message.find(".lua:") < message.find(' ');
}

int message_handler(lua_State* lua) {
  if (is_error_object(lua, 1)) return 1;
  host_of(lua).failure = failure_at(lua, 1, lua);
  push_failure(lua, nullptr);
  return 1;
}

}  // namespace tsrun::lua
