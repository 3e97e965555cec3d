#include "tsrun/lua/recipe.h"

#include "lua/state.h"
#include "tsrun/base/files.h"
#include "tsrun/base/interrupt.h"

namespace tsrun {
namespace lua {
namespace {

/// Loads `source` as text under the chunk name and leaves the function on the stack; raises Lua's syntax error.
void load_text(lua_State* lua, std::string_view source, const char* name) {
  if (luaL_loadbufferx(lua, source.data(), source.size(), name, "t") != LUA_OK) lua_error(lua);
}

/// Loads a file of scripts/lua.
void load_own(lua_State* lua, std::string_view file) {
  lua_pushliteral(lua, "=");
  lua_pushstring(lua, kOwnChunk);
  lua_pushlstring(lua, file.data(), file.size());
  lua_concat(lua, 3);
  load_text(lua, embedded_file(file), lua_tostring(lua, -1));
  lua_remove(lua, -2);
}

/// Pushes the parts of the module that ts.lua calls: { search = the chunk of search.lua, … }.
void push_parts(lua_State* lua) {
  constexpr std::string_view ending = ".lua";
  lua_createtable(lua, 0, 0);
  for (const auto& [file, content] : embedded_files()) {
    if (!file.ends_with(ending) || file == "ts.lua" || file == "sandbox.lua") continue;
    lua_pushlstring(lua, file.data(), file.size() - ending.size());
    load_own(lua, file);
    lua_rawset(lua, -3);
  }
}

/// The outermost Lua call: ts.lua makes the module out of its parts; sandbox.lua closes the environment, then the recipe runs. Its argument
/// is the chunk name.
int run_chunks(lua_State* lua) {
  const auto* name = static_cast<const char*>(lua_touserdata(lua, 1));
  push_native(lua);
  const int native = lua_gettop(lua);
  load_own(lua, "ts.lua");
  lua_pushvalue(lua, native);
  push_parts(lua);
  lua_call(lua, 2, 2);
  const int module = native + 1, finish = native + 2;
  load_own(lua, "sandbox.lua");
  lua_pushvalue(lua, native);
  lua_pushvalue(lua, module);
  lua_call(lua, 2, 0);
  load_text(lua, host_of(lua).source, name);
  lua_call(lua, 0, 0);
  lua_pushvalue(lua, finish);
  lua_call(lua, 0, 0);
  return 0;
}

std::optional<Host::Failure> run_protected(Host& host) {
  const std::string name = "@" + host.recipe;
  State state(host);
  lua_State* lua = state.get();
  lua_pushcfunction(lua, message_handler);
  lua_pushcfunction(lua, run_chunks);
  lua_pushlightuserdata(lua, const_cast<char*>(name.c_str()));
  const InterruptScope deaf(Answers::never);  // but for what `attempt` runs
  if (lua_pcall(lua, 1, 0, 1) == LUA_OK) return std::nullopt;
  return failure_at(lua, -1, lua);
}

Host make_host(Lab& lab, const std::filesystem::path& recipe, const RecipeSettings& settings) {
  Host host{.lab = lab,
            .settings = settings,
            .recipe = recipe.string(),
            .source = read_text(recipe),
            .result = {},
            .failure = {},
            .arguments = {},
            .values = nlohmann::json::object()};
  if (host.source.starts_with("#!")) host.source.insert(0, "--");  // an executable recipe; line numbers stay
  return host;
}

[[noreturn]] void throw_failure(const Host& host, Host::Failure failure) {
  if (failure.kind == ErrorKind::interrupt) throw Error(ErrorKind::interrupt, failure.message);
  if (!is_placed(failure.message, host.recipe)) failure.message = host.recipe + ": " + failure.message;
  if (!failure.trace.empty()) failure.message += "\n" + failure.trace;
  throw Error(failure.kind, failure.message);
}

}  // namespace

std::string_view embedded_file(std::string_view name) {
  for (const auto& [file, content] : embedded_files())
    if (file == name) return content;
  internal_error("no embedded file '{}'", name);
}

}  // namespace lua

void run_recipe(Lab& lab, const std::filesystem::path& recipe, const RecipeSettings& settings) {
  auto host = lua::make_host(lab, recipe, settings);
  if (auto failure = lua::run_protected(host)) lua::throw_failure(host, std::move(*failure));
}

OptionTable recipe_arguments(Lab& lab, const std::filesystem::path& recipe) {
  auto host = lua::make_host(lab, recipe, {});
  host.describe_only = true;
  auto failure = lua::run_protected(host);
  if (failure && failure->kind != lua::kStop) lua::throw_failure(host, std::move(*failure));
  return host.arguments.value_or(OptionTable{});
}

}  // namespace tsrun
