#include "app/verbs.h"
#include "app/workers.h"
#include "tsrun/base/display.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/log.h"
#include "tsrun/base/parallel.h"
#include "tsrun/lua/recipe.h"
#include "tsrun/store/run_folder.h"

#include <sched.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <set>

/// The verbs of recipes and their runs: run, check, show, compare.
namespace tsrun::app {
namespace {

int usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

/// The command of a further process: the same, with one thread unless the user said otherwise. role: --worker or --planner.
std::vector<std::string> command_of(const Command& command, const char* role) {
  auto words = command.lab.command;
  words.insert(words.begin() + 1, role);
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

constexpr int kPlanner = -1, kFirstWorker = 1;  // as the display numbers processes

/// Starts further processes at the first computed stage: a recipe whose stages are all in the store starts none.
class Helpers {
 public:
  explicit Helpers(const Command& command) : command_(command) {}
  void before_work(int64_t jobs) {
    if (command_.worker) return;
    if (!planner_ && Display::get().wants_plan()) planner_.emplace(kPlanner, SIGKILL).start(command_of(command_, "--planner"));
    if (workers_ || jobs < 2) return;
    workers_.emplace(kFirstWorker, SIGTERM);  // they write a checkpoint first
    for (int64_t i = 1; i < jobs; ++i) workers_->start(command_of(command_, "--worker"));
    log_debug("{} more processes share the sweep", workers_->count());
    if (!command_.threads) set_threads(1);
  }

 private:
  const Command& command_;
  std::optional<Workers> planner_, workers_;
};

void run_with_helpers(Lab& lab, const Command& command) {
  Helpers helpers(command);
  auto settings = recipe_settings(command);
  int64_t jobs = 0;
  settings.before_work = [&] { helpers.before_work(jobs); };
  settings.on_sweep = [&](int64_t points) { jobs = std::min<int64_t>(command.jobs ? *command.jobs : jobs_that_fit(command), points); };
  run_recipe(lab, command.operands.front(), settings);
}

/// Sends the recipe's stages to the process that started us.
void plan(const Command& command) {
  auto settings = command.lab;
  settings.plan_only = settings.worker = true;
  Lab lab(settings);
  run_recipe(lab, command.operands.front(), recipe_settings(command));
  News whole;
  whole.kind = News::Kind::planned;
  Display::get().take(0, whole);
}

void run_and_finish(const Command& command) {
  Lab lab(command.lab);
  try {
    run_with_helpers(lab, command);
  } catch (const Error& error) {
    finish_run(lab, error.kind() == ErrorKind::interrupt ? RunState::killed : RunState::failed, error.what());
    throw;
  }
  finish_run(lab, RunState::done, "");
  const auto counts = outcomes(lab);
  const auto count = [&](const char* outcome) { return counts.contains(outcome) ? counts.at(outcome) : 0; };
  log_debug("{} stages computed, {} read from the store", count("computed"), count("read"));
}

/// The display of a run, as long as it lasts.
class Shown {
 public:
  explicit Shown(const Command& command) {
    if (command.worker || command.planner)
      Display::get().send_to(STDOUT_FILENO);
    else
      Display::get().begin_run(std::filesystem::path(command.operands.front()).stem().string());
  }
  ~Shown() { Display::get().end_run(); }
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;
};

}  // namespace

void run(const Command& command) {
  watch_interrupts();
  set_threads(command.threads.value_or(0));
  const Shown shown(command);
  command.planner ? plan(command) : run_and_finish(command);
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
  print_result(fmt::format("{}: {} stages, {} of them in the store\n{}", command.operands.front(), seen.size(), found, text));
}

void show(const Command& command) {
  const auto run = find_run(command.lab.runs, command.operands[0]);
  command.json ? print_json(run_as_json(run)) : print_result(show_run(run));
}

void compare(const Command& command) {
  const auto a = find_run(command.lab.runs, command.operands[0]), b = find_run(command.lab.runs, command.operands[1]);
  command.json ? print_json(comparison_as_json(a, b)) : print_result(compare_runs(a, b));
}

}  // namespace tsrun::app
