#include "lua/state.h"

#include "lua/convert.h"
#include "tsrun/base/interrupt.h"

#include <cstdlib>

namespace tsrun::lua {
namespace {

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
  luaL_newmetatable(lua, kErrorMetatable);
  const luaL_Reg methods[] = {{"__tostring", error_to_text}, {"__concat", error_concat}, {nullptr, nullptr}};
  luaL_setfuncs(lua, methods, 0);
  prepare_raised(lua);
  return 0;
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

}  // namespace tsrun::lua
