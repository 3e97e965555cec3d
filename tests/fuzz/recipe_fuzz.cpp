#include <sys/time.h>

#include <csignal>

#include "fuzz/target.h"
#include "support/temporary_folder.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/log.h"
#include "tsrun/lua/recipe.h"

using namespace tsrun;

namespace {

// An endless loop is a legal recipe: Ctrl-C ends it, and here a timer in its place.
void press_interrupt_after_a_second(bool on) {
  const itimerval timer{{0, 0}, {on ? 1 : 0, 0}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const testing::TemporaryFolder folder;
  set_verbosity(Verbosity::quiet);
  watch_interrupts();
  std::signal(SIGALRM, [](int) { std::raise(SIGINT); });
  clear_interrupt();
  LabSettings settings;
  settings.store = folder / "store";
  settings.plan_only = true;
  Lab lab(settings);
  const auto recipe = folder.write("recipe.lua", testing::text_of(data, size));
  press_interrupt_after_a_second(true);
  testing::refuse_or_take([&] { run_recipe(lab, recipe, {.values = {}, .traceback = false, .memory_limit = int64_t{64} << 20}); });
  press_interrupt_after_a_second(false);
  clear_interrupt();
  return 0;
}
