#include "tsrun/base/interrupt.h"

#include <unistd.h>
#include <csignal>

#include "tsrun/base/error.h"

namespace tsrun {
namespace {

// A signal handler can reach nothing but static storage.
volatile std::sig_atomic_t arrived = 0;

void on_signal(int) {
  if (arrived) _exit(static_cast<int>(ErrorKind::interrupt));
  arrived = 1;
}

}  // namespace

void watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept { return arrived != 0; }
void check_interrupt() {
  if (interrupted()) throw Error(ErrorKind::interrupt, "interrupted");
}
void clear_interrupt() noexcept { arrived = 0; }

}  // namespace tsrun
