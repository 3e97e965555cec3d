#include "app/verbs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/memory.h"
#include "tsrun/base/vectors.h"

#include <filesystem>
#include <new>

namespace tsrun::app {
namespace {

using Action = void (*)(const Command&);

const std::map<std::string, Action>& actions() {
  static const std::map<std::string, Action> all = {
      {"", [](const Command&) { print_result(short_help()); }},
      {"help", [](const Command&) { print_result(long_help()); }},
      {"version", [](const Command&) { print_result(version_text()); }},
      {"run", run},
      {"check", check},
      {"plugins", list_plugins},
      {"describe", describe},
      {"show", show},
      {"compare", compare},
      {"doctor", doctor},
      {"tokenize", tokenize},
      {"predict", predict},
      {"generate", [](const Command& command) { generate(command); }},
      {"score", score},
      {"geometry", geometry},
  };
  return all;
}

void act(int count, const char* const* words) {
  keep_freed_memory();
  const auto command = parse_command(count, words);
  vectors();  // a mistake in TSRUN_VECTORS is said before anything is done
  set_verbosity(command.debug ? Verbosity::debug : command.quiet ? Verbosity::quiet : Verbosity::normal);
  actions().at(command.verb)(command);
}

int report(ErrorKind kind, const char* message) {
  if (kind == ErrorKind::internal)
    print_problem(fmt::format(
        "internal error: {}\nThis is a bug of tsrun or of a plugin. Please report it with the command and the recipe.", message));
  else
    print_problem(message);
  return static_cast<int>(kind);
}

}  // namespace
}  // namespace tsrun::app

int main(int count, char** words) {
  using tsrun::ErrorKind;
  try {
    tsrun::app::act(count, words);
    return 0;
  } catch (const tsrun::Error& error) {
    return tsrun::app::report(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    return tsrun::app::report(ErrorKind::run, "out of memory");
  } catch (const std::filesystem::filesystem_error& error) {
    return tsrun::app::report(ErrorKind::run, error.what());
  } catch (const std::exception& error) {
    return tsrun::app::report(ErrorKind::internal, error.what());
  }
}
