#include "lua/state.h"

#include "lua/convert.h"
#include "tsrun/base/interrupt.h"

#include <cstdlib>
#include <cstring>

namespace tsrun {
namespace {

constexpr const char* kError = "tsrun error";
constexpr int kHookInterval = 10000;  // instructions; well under a millisecond

void* allocate(void* user, void* block, size_t old_size, size_t new_size) {
  auto& host = *static_cast<Host*>(user);
  if (block == nullptr) old_size = 0;  // then Lua passes the kind of object
  const auto held = host.held - static_cast<int64_t>(old_size) + static_cast<int64_t>(new_size);
  if (new_size > old_size && held > host.settings.memory_limit) return nullptr;
  void* result = nullptr;
  if (new_size == 0) {
    std::free(block);
  } else {
    result = std::realloc(block, new_size);
    if (result == nullptr) return nullptr;
  }
  host.held = held;
  return result;
}

/// Lets Ctrl-C end a loop that never comes back to the program.
void on_instructions(lua_State* lua, lua_Debug*) {
  if (!interrupted()) return;
  auto& failure = host_of(lua).failure;
  failure.kind = ErrorKind::interrupt;
  failure.message = "interrupted";
  failure.trace.clear();
  raise(lua);
}

int error_to_text(lua_State* lua) {
  lua_getfield(lua, 1, "message");
  return 1;
}

int error_concat(lua_State* lua) {
  luaL_tolstring(lua, 1, nullptr);
  luaL_tolstring(lua, 2, nullptr);
  lua_concat(lua, 2);
  return 1;
}

void open_libraries(lua_State* lua) {
  const luaL_Reg allowed[] = {{LUA_GNAME, luaopen_base},       {LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string},
                              {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8}, {LUA_COLIBNAME, luaopen_coroutine},
                              {LUA_OSLIBNAME, luaopen_os}};
  for (const auto& library : allowed) {
    luaL_requiref(lua, library.name, library.func, 1);
    lua_pop(lua, 1);
  }
}

int prepare(lua_State* lua) {
  open_libraries(lua);
  prepare_conversion(lua);
  luaL_newmetatable(lua, kError);
  const luaL_Reg methods[] = {{"__tostring", error_to_text}, {"__concat", error_concat}, {nullptr, nullptr}};
  luaL_setfuncs(lua, methods, 0);
  return 0;
}

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
  luaL_getmetatable(lua, kError);
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
  return failure;
}

/// A message of Lua itself that names our own chunk. A bad argument came from the recipe through a wrapper of ours, so it gets the recipe's
/// line; anything else is a bug of ours.
void blame(Host::Failure& failure, lua_State* thread) {
  for (const char* chunk : {"ts.lua:", "sandbox.lua:"}) {
    if (!failure.message.starts_with(chunk)) continue;
    const auto place = failure.message.find(": ");
    const bool theirs =
        failure.message.find("bad argument") != std::string::npos || failure.message.find("protected metatable") != std::string::npos;
    if (theirs && place != std::string::npos)
      failure.message = location(thread) + failure.message.substr(place + 2);
    else
      failure.kind = ErrorKind::internal;
  }
}

/// An error value that is none of ours: a message of Lua itself, or whatever a recipe gave to error().
Host::Failure foreign_failure(lua_State* lua, int index, lua_State* thread) {
  const auto& host = host_of(lua);
  Host::Failure failure;
  size_t length = 0;
  const char* data = lua_type(lua, index) == LUA_TSTRING ? lua_tolstring(lua, index, &length) : nullptr;
  failure.message =
      data != nullptr ? std::string(data, length) : fmt::format("{}: error with a {} value", host.recipe, luaL_typename(lua, index));
  failure.kind = ErrorKind::user;
  blame(failure, thread);
  if (failure.message == "not enough memory") {
    failure.kind = ErrorKind::run;
    failure.message =
        fmt::format("{}: not enough memory: the recipe holds more than {} MiB", host.recipe, host.settings.memory_limit >> 20);
  }
  failure.message = with_full_name(std::move(failure.message), host.recipe);
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

Host& host_of(lua_State* lua) { return **static_cast<Host**>(lua_getextraspace(lua)); }

State::State(Host& host) : lua_(lua_newstate(allocate, &host)) {
  if (lua_ == nullptr) run_error("{}: no memory for Lua", host.recipe);
  *static_cast<Host**>(lua_getextraspace(lua_)) = &host;  // copied into every coroutine
  lua_sethook(lua_, on_instructions, LUA_MASKCOUNT, kHookInterval);
  lua_pushcfunction(lua_, prepare);
  if (lua_pcall(lua_, 0, 0, 0) != LUA_OK) {
    const auto failure = failure_at(lua_, -1, lua_);
    lua_close(lua_);
    throw Error(failure.kind, failure.message);
  }
}

State::~State() { lua_close(lua_); }

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
  luaL_setmetatable(lua, kError);
}

int raise(lua_State* lua) {
  push_failure(lua, nullptr);
  return lua_error(lua);
}

Host::Failure failure_at(lua_State* lua, int index, lua_State* thread) {
  index = lua_absindex(lua, index);
  return is_error_object(lua, index) ? read_error_object(lua, index) : foreign_failure(lua, index, thread != nullptr ? thread : lua);
}

int message_handler(lua_State* lua) {
  if (is_error_object(lua, 1)) return 1;
  host_of(lua).failure = failure_at(lua, 1, lua);
  push_failure(lua, nullptr);
  return 1;
}

}  // namespace tsrun
