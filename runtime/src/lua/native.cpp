#include "lua/convert.h"
#include "lua/state.h"
#include "tsrun/base/files.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/log.h"
#include "tsrun/base/random.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/metrics.h"
#include "tsrun/experiment/results.h"
#include "tsrun/train/diverged.h"

#include <chrono>
#include <new>
#include <thread>

/// The C functions that ts.lua and sandbox.lua are given. Each works in two halves: `attempt` runs C++ and leaves a result or a failure in
/// the host, with every C++ object destroyed; then the result is pushed, or the failure raised.
namespace tsrun::lua {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

template <class Body>
bool attempt(Host& host, Body&& body) {
  const auto fail = [&](ErrorKind kind, std::string message) {
    host.failure = {.kind = kind, .message = std::move(message), .trace = ""};
    return false;
  };
  const InterruptScope answers(Answers::in_time);
  try {
    body();
    return true;
  } catch (const Diverged& error) {
    fail(error.kind(), error.what());
    host.failure.diverged = error.reason();
    host.failure.steps = error.steps();
    return false;
  } catch (const Error& error) {
    return fail(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::run, "out of memory");
  } catch (const fs::filesystem_error& error) {
    return fail(ErrorKind::run, error.what());
  } catch (const std::exception& error) {
    return fail(ErrorKind::internal, error.what());
  }
}

template <class Body>
bool attempt_here(lua_State* lua, Body&& body) {
  auto& host = host_of(lua);
  if (attempt(host, body)) return true;
  if (host.failure.kind != ErrorKind::interrupt) host.failure.message.insert(0, location(lua));
  return false;
}

std::string text_at(lua_State* lua, int index) {
  size_t length = 0;
  const char* data = lua_type(lua, index) == LUA_TSTRING ? lua_tolstring(lua, index, &length) : "";
  return std::string(data, length);
}

int push_result(lua_State* lua) {
  push_json(lua, host_of(lua).result);
  return 1;
}

void refuse_unread_arguments(Host& host) {
  if (host.arguments || host.settings.values.empty()) return;
  const auto& [name, value] = *host.settings.values.begin();
  user_error("--set {}={} is given, but the recipe has not called ts.arguments before its first step", name, value);
}

/// At a recipe's first step its arguments are known, and its run folder begins.
void begin_run(Host& host) {
  refuse_unread_arguments(host);
  const LabSettings& settings = host.lab.settings();
  if (!settings.plan_only && !settings.worker && host.lab.begun_run() == nullptr)
    host.lab.begin_run(host.recipe, host.values, host.libraries);
}

/// call(name, arguments, wait) -> true, result | false (another process computes it)
int native_call(lua_State* lua) {
  auto& host = host_of(lua);
  bool busy = false;
  const bool ok = attempt_here(lua, [&] {
    begin_run(host);
    const auto name = text_at(lua, 1);
    const CallContext context{.wait = lua_toboolean(lua, 3) != 0, .before_work = host.settings.before_work};
    try {
      host.result = host.lab.call(name, to_json(lua, 2, name), context);
    } catch (const Busy&) {
      busy = true;
    }
  });
  if (!ok) return raise(lua);
  lua_pushboolean(lua, busy ? 0 : 1);
  if (busy) return 1;
  return 1 + push_result(lua);
}

/// arguments(declared) -> values
int native_arguments(lua_State* lua) {
  auto& host = host_of(lua);
  const bool ok = attempt_here(lua, [&] {
    if (host.arguments) user_error("arguments: declared twice; declare them all in one table");
    host.arguments = declared_arguments(to_json(lua, 1, "arguments"));
    if (host.describe_only) throw Error(kStop, "");
    host.result = resolve_arguments(*host.arguments, host.settings.values);
    host.values = host.result;
  });
  return ok ? push_result(lua) : raise(lua);
}

/// operations() -> { { name, first, fields } … }; fields: those that results can have, absent where plugins add their own
int native_operations(lua_State* lua) {
  auto& host = host_of(lua);
  host.result = json::array();
  for (const auto& operation : host.lab.operations()) {
    json entry = {{"name", operation.name}};
    if (!operation.options.all().empty()) entry["first"] = operation.options.all().front().name;
    if (const ResultKind* kind = find_result_kind(operation.result); kind != nullptr && !kind->open) entry["fields"] = kind->names();
    host.result.push_back(std::move(entry));
  }
  return push_result(lua);
}

/// did_you_mean(given, known) -> " (did you mean 'x'?)" or ""
int native_did_you_mean(lua_State* lua) {
  const bool ok = attempt_here(lua, [&] {
    std::vector<std::string> known;
    for (const auto& name : to_json(lua, 2, "names"))
      if (name.is_string()) known.push_back(name.get<std::string>());
    host_of(lua).result = did_you_mean(text_at(lua, 1), known);
  });
  return ok ? push_result(lua) : raise(lua);
}

/// higher_is_better(metric)
int native_higher_is_better(lua_State* lua) {
  bool higher = true;
  const bool ok = attempt_here(lua, [&] { higher = higher_is_better(text_at(lua, 1)); });
  if (!ok) return raise(lua);
  lua_pushboolean(lua, higher ? 1 : 0);
  return 1;
}

/// fail(message): a user error at the recipe's line
int native_fail(lua_State* lua) {
  attempt_here(lua, [&] { throw Error(ErrorKind::user, text_at(lua, 1)); });
  return raise(lua);
}

/// diverge(message, reason, steps): a failed run, which an outer search forgives as it forgives one training
int native_diverge(lua_State* lua) {
  attempt_here(lua, [&] { throw Diverged(text_at(lua, 1), text_at(lua, 2), lua_tointeger(lua, 3)); });
  return raise(lua);
}

/// failure(err, thread) -> what ended the coroutine, as an error object with its traceback
int native_failure(lua_State* lua) {
  lua_State* thread = lua_tothread(lua, 2);
  auto& failure = host_of(lua).failure;
  failure = failure_at(lua, 1, thread);
  push_failure(lua, thread);
  return 1;
}

/// fatal(err): whether a recipe must not go on after it
int native_fatal(lua_State* lua) {
  bool fatal = false;
  attempt(host_of(lua), [&] { fatal = is_fatal(lua, 1); });
  lua_pushboolean(lua, fatal ? 1 : 0);
  return 1;
}

/// pause(seconds)
int native_pause(lua_State* lua) {
  const double seconds = lua_tonumber(lua, 1);
  const bool ok = attempt_here(lua, [&] {
    check_interrupt();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    check_interrupt();
  });
  return ok ? 0 : raise(lua);
}

int native_log(lua_State* lua) {
  if (host_of(lua).lab.settings().worker) return 0;
  const bool ok = attempt_here(lua, [&] { log_message("recipe", text_at(lua, 1)); });
  return ok ? 0 : raise(lua);
}

int native_print(lua_State* lua) {
  if (host_of(lua).lab.settings().worker) return 0;
  const bool ok = attempt_here(lua, [&] { print_result(text_at(lua, 1)); });
  return ok ? 0 : raise(lua);
}

int native_seed(lua_State* lua) {
  lua_pushinteger(lua, static_cast<lua_Integer>(host_of(lua).lab.settings().seed));
  return 1;
}

/// uniform(name, i) -> the i-th number in [0, 1) of the stream `name`
int native_uniform(lua_State* lua) {
  const auto counter = static_cast<uint64_t>(lua_tointeger(lua, 2));
  double number = 0;
  attempt(host_of(lua), [&] {
    const auto key = Key::root(host_of(lua).lab.settings().seed).split("recipe").split(text_at(lua, 1));
    const auto bits = key.block(counter);
    number = static_cast<double>((uint64_t{bits[0]} << 21) ^ (bits[1] >> 11)) * 0x1p-53;
  });
  lua_pushnumber(lua, number);
  return 1;
}

/// sweep(points): a sweep starts; sweep(0): it has ended
int native_sweep(lua_State* lua) {
  auto& host = host_of(lua);
  const auto points = lua_tointeger(lua, 1);
  const bool ok = attempt_here(lua, [&] {
    if (points != 1 && host.settings.on_sweep && !host.lab.settings().plan_only) host.settings.on_sweep(points);
  });
  return ok ? 0 : raise(lua);
}

/// read_sibling(name) -> text, path: a Lua file beside the recipe
int native_read_sibling(lua_State* lua) {
  auto& host = host_of(lua);
  const bool ok = attempt_here(lua, [&] {
    auto name = text_at(lua, 1);
    for (auto& letter : name)
      if (letter == '.') letter = '/';
    const auto path = fs::path(host.recipe).parent_path() / (name + ".lua");
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) data_error("require: no file '{}' beside the recipe", path.string());
    const auto text = read_text(path);
    host.libraries[path.string()] = sha256(text);
    host.result = json::array({text, path.string()});
  });
  if (!ok) return raise(lua);
  push_json(lua, host.result[0]);
  push_json(lua, host.result[1]);
  return 2;
}

}  // namespace

void push_native(lua_State* lua) {
  const luaL_Reg functions[] = {{"call", native_call},
                                {"arguments", native_arguments},
                                {"operations", native_operations},
                                {"fail", native_fail},
                                {"diverge", native_diverge},
                                {"error", raise_value},
                                {"failure", native_failure},
                                {"higher_is_better", native_higher_is_better},
                                {"did_you_mean", native_did_you_mean},
                                {"fatal", native_fatal},
                                {"pause", native_pause},
                                {"log", native_log},
                                {"print", native_print},
                                {"seed", native_seed},
                                {"uniform", native_uniform},
                                {"sweep", native_sweep},
                                {"read_sibling", native_read_sibling}};
  lua_createtable(lua, 0, static_cast<int>(std::size(functions)));
  for (const auto& function : functions) {
    lua_pushcfunction(lua, function.func);
    lua_setfield(lua, -2, function.name);
  }
}

}  // namespace tsrun::lua
