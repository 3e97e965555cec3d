#pragma once

namespace tsrun {

/// Installs SIGINT and SIGTERM handlers that only raise a flag; a second signal ends the process at once with 130.
void watch_interrupts();
bool interrupted() noexcept;
/// @throws Error(interrupt) when a signal has arrived. Long loops call this between units of work.
void check_interrupt();
void clear_interrupt() noexcept;  ///< for tests

/// Whether running code checks for interrupts. Other code (a pattern match inside Lua's library) has a second after a signal, then the
/// process ends with 130.
enum class Answers { in_time, never };
class InterruptScope {
 public:
  explicit InterruptScope(Answers answers) noexcept;
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  int outer_;
};

}  // namespace tsrun
