#include "tsrun/lua/recipe.h"

#include "lua/state.h"
#include "tsrun/base/files.h"
#include "tsrun/base/interrupt.h"

namespace tsrun {
namespace {

/// Loads `source` as text under the chunk name and leaves the function on the stack; raises Lua's syntax error.
void load_text(lua_State* lua, std::string_view source, const char* name) {
  if (luaL_loadbufferx(lua, source.data(), source.size(), name, "t") != LUA_OK) lua_error(lua);
}

/// The outermost Lua call: ts.lua makes the module, with functions of chunks that it is given; sandbox.lua closes the environment, then the
/// recipe runs. Its argument is the chunk name.
int run_chunks(lua_State* lua) {
  const auto* name = static_cast<const char*>(lua_touserdata(lua, 1));
  push_native(lua);
  const int native = lua_gettop(lua);
  load_text(lua, ts_source(), "=ts.lua");
  lua_pushvalue(lua, native);
  load_text(lua, intrinsic_dimension_source(), "=intrinsic_dimension.lua");
  load_text(lua, search_source(), "=search.lua");
  lua_call(lua, 3, 2);
  const int module = native + 1, finish = native + 2;
  load_text(lua, sandbox_source(), "=sandbox.lua");
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

void run_recipe(Lab& lab, const std::filesystem::path& recipe, const RecipeSettings& settings) {
  auto host = make_host(lab, recipe, settings);
  if (auto failure = run_protected(host)) throw_failure(host, std::move(*failure));
}

OptionTable recipe_arguments(Lab& lab, const std::filesystem::path& recipe) {
  auto host = make_host(lab, recipe, {});
  host.describe_only = true;
  auto failure = run_protected(host);
  if (failure && failure->kind != kStop) throw_failure(host, std::move(*failure));
  return host.arguments.value_or(OptionTable{});
}

}  // namespace tsrun
