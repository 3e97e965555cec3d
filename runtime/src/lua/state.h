#pragma once

#include "tsrun/base/error.h"
#include "tsrun/lua/recipe.h"

#include <lua.hpp>

#include <optional>
#include <span>
#include <string>
#include <utility>

namespace tsrun::lua {

/// State of the C functions under `ts`. It lives outside the Lua stack, so that a longjmp of Lua (a C library) passes over no object with a
/// destructor: a C function leaves its result or its failure here, and only then pushes or raises.
struct Host {
  Lab& lab;
  RecipeSettings settings;
  std::string recipe;  ///< as the user wrote it
  std::string source;  ///< text of the chunk being loaded
  nlohmann::json result;
  struct Failure {
    ErrorKind kind = ErrorKind::internal;
    std::string message;
    std::string trace;
    std::string diverged = {};  ///< reason of a training that diverged, else empty
    int64_t steps = 0;          ///< that it made
  } failure;
  std::optional<OptionTable> arguments;                 ///< once the recipe has declared them
  nlohmann::json values;                                ///< of the arguments, resolved
  nlohmann::json libraries = nlohmann::json::object();  ///< {path: sha256} of required files
  bool describe_only = false;                           ///< stop at ts.arguments
  int64_t held = 0;                                     ///< bytes Lua holds
};

Host& host_of(lua_State* lua);

/// A Lua state of its own for `host`: memory limit, allowed libraries, interrupt hook. Closed by its destructor.
class State {
 public:
  explicit State(Host& host);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  lua_State* get() const { return lua_; }

 private:
  lua_State* lua_ = nullptr;
};

/// "recipe.lua:12: " of the innermost recipe function that runs, or "recipe.lua: ". Raises nothing.
std::string location(lua_State* lua);

/// Raises `host_of(lua).failure` as a Lua error that keeps its kind. Nothing with a destructor may be on the stack of the caller.
int raise(lua_State* lua);

/// Pushes `host_of(lua).failure` as an error object; with --debug and no trace yet, the traceback of `thread` (null: `lua` itself) goes
/// with it.
void push_failure(lua_State* lua, lua_State* thread);

/// The error value at `index`: ours as it was raised; a message of Lua itself as a user error; memory as a run error.
/// `thread` is the coroutine that it ended, or null.
Host::Failure failure_at(lua_State* lua, int index, lua_State* thread);

/// An error value at `index` that is neither ours nor a text.
Host::Failure value_failure(lua_State* lua, int index, lua_State* thread);

/// Whether a recipe must not go on after the error value at `index`. Calls no metamethod.
bool is_fatal(lua_State* lua, int index);

/// Whether a message begins with a file and a line.
bool is_placed(const std::string& message, const std::string& recipe);

/// error(value, level), as Lua's own; remembers where a table was raised first, since a table cannot say so itself.
int raise_value(lua_State* lua);
void prepare_raised(lua_State* lua);

/// Before the file in the name of a chunk of ours, so that a recipe may be called search.lua.
constexpr const char* kOwnChunk = "tsrun:";
constexpr const char* kErrorMetatable = "tsrun error";

/// Message handler of the outermost call: turns every error value into the form of `raise`, with a traceback when asked for.
int message_handler(lua_State* lua);

/// Pushes the table of C functions that ts.lua and sandbox.lua are given.
void push_native(lua_State* lua);

/// The files of scripts/lua, as (name, content): ("search.lua", "-- Learning rates …").
std::span<const std::pair<std::string_view, std::string_view>> embedded_files();
/// Content of one of them.
std::string_view embedded_file(std::string_view name);

/// Thrown, and caught by no recipe, to end a recipe behind ts.arguments.
constexpr auto kStop = static_cast<ErrorKind>(-1);

/// Values of --set against what the recipe declares. @throws Error(user)
OptionTable declared_arguments(const nlohmann::json& declared);
nlohmann::json resolve_arguments(const OptionTable& table, const std::map<std::string, std::string>& values);

}  // namespace tsrun::lua
