#include "app/verbs.h"
#include "app/workers.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/log.h"
#include "tsrun/base/parallel.h"
#include "tsrun/experiment/run_folder.h"
#include "tsrun/lua/recipe.h"

#include <sched.h>

#include <set>

/// Verbs about recipes and what they leave: run, check, show, compare.
namespace tsrun {
namespace {

int usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

/// The command of a worker: the same, with one thread unless the user said otherwise.
std::vector<std::string> worker_command(const Command& command) {
  auto words = command.lab.command;
  words.insert(words.begin() + 1, {"--worker", "--quiet"});
  if (!command.threads) words.insert(words.begin() + 1, "--threads=1");
  return words;
}

RecipeSettings recipe_settings(const Command& command) {
  RecipeSettings settings;
  settings.values = command.values;
  settings.traceback = command.debug;
  return settings;
}

void finish_run(Lab& lab, RunState state, const std::string& error) {
  if (auto* folder = lab.begun_run()) folder->finish(state, error);
}

/// How many stages had which outcome, each stage counted once.
std::map<std::string, int> outcomes(const Lab& lab) {
  std::map<std::string, int> counts;
  std::set<std::string> seen;
  for (const auto& stage : lab.history())
    if (seen.insert(stage.key).second) ++counts[stage.outcome];
  return counts;
}

/// Processes of a sweep unless --jobs says: as many as have cores for the threads that were asked for. Threads that wait for each other
/// take a core from others, and slow them down many times over.
int64_t jobs_that_fit(const Command& command) { return std::max<int64_t>(1, usable_cores() / command.threads.value_or(1)); }

/// Further processes start when a sweep has something to compute, so that a recipe that is read from the store starts none.
void run_with_workers(Lab& lab, const Command& command) {
  Workers workers(worker_command(command));
  auto settings = recipe_settings(command);
  int64_t jobs = 0;
  lab.settings().before_work = [&] {
    if (command.worker || workers.started() || jobs < 2) return;
    workers.start(static_cast<int>(jobs) - 1);
    if (!command.threads) set_threads(1);
  };
  settings.on_sweep = [&](int64_t points) { jobs = std::min<int64_t>(command.jobs ? *command.jobs : jobs_that_fit(command), points); };
  run_recipe(lab, command.operands.front(), settings);
  lab.settings().before_work = nullptr;
}

}  // namespace

void run(const Command& command) {
  watch_interrupts();
  set_threads(command.threads.value_or(0));
  Lab lab(command.lab);
  try {
    run_with_workers(lab, command);
  } catch (const Error& error) {
    finish_run(lab, error.kind() == ErrorKind::interrupt ? RunState::killed : RunState::failed, error.what());
    throw;
  }
  finish_run(lab, RunState::done, "");
  const auto counts = outcomes(lab);
  const auto count = [&](const char* outcome) { return counts.contains(outcome) ? counts.at(outcome) : 0; };
  log_debug("{} stages computed, {} read from the store", count("computed"), count("read"));
}

void check(const Command& command) {
  watch_interrupts();
  auto settings = command.lab;
  settings.plan_only = true;
  Lab lab(settings);
  run_recipe(lab, command.operands.front(), recipe_settings(command));
  std::string text;
  std::set<std::string> seen;
  for (const auto& stage : lab.history())
    if (seen.insert(stage.key).second) text += fmt::format("  {:<14}{}\n", stage.outcome, stage.title);
  const auto counts = outcomes(lab);
  const int found = counts.contains("in the store") ? counts.at("in the store") : 0;
  print(fmt::format("{}: {} stages, {} of them in the store\n{}", command.operands.front(), seen.size(), found, text));
}

void show(const Command& command) { print(show_run(find_run(command.lab.runs, command.operands[0]))); }

void compare(const Command& command) {
  print(compare_runs(find_run(command.lab.runs, command.operands[0]), find_run(command.lab.runs, command.operands[1])));
}

}  // namespace tsrun
