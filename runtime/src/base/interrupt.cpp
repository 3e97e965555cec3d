#include "tsrun/base/interrupt.h"

#include <unistd.h>
#include <csignal>

#include "tsrun/base/error.h"

namespace tsrun {
namespace {

constexpr unsigned kPatience = 1;  // seconds

// A signal handler can reach nothing but static storage.
volatile std::sig_atomic_t arrived = 0, deaf = 0;

void on_signal(int) {
  if (arrived) _exit(static_cast<int>(ErrorKind::interrupt));
  arrived = 1;
  alarm(kPatience);
}

// Code that answers may take as long as it needs: a checkpoint is written before it ends.
void on_alarm(int) {
  if (arrived && deaf) _exit(static_cast<int>(ErrorKind::interrupt));
  if (arrived) alarm(kPatience);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void watch_interrupts() {
  handle(SIGALRM, on_alarm);
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
}

bool interrupted() noexcept { return arrived != 0; }
void check_interrupt() {
  if (interrupted()) throw Error(ErrorKind::interrupt, "interrupted");
}
void clear_interrupt() noexcept {
  arrived = 0;
  alarm(0);
}

InterruptScope::InterruptScope(Answers answers) noexcept : outer_(deaf) { deaf = answers == Answers::never; }
InterruptScope::~InterruptScope() { deaf = outer_; }

}  // namespace tsrun
