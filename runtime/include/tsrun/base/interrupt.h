#pragma once

namespace tsrun {

/// Installs SIGINT and SIGTERM handlers that only raise a flag; a second signal ends the process at once with 130.
void watch_interrupts();
bool interrupted() noexcept;
/// @throws Error(interrupt) when a signal has arrived. Long loops call this between units of work.
void check_interrupt();
void clear_interrupt() noexcept;  ///< for tests

}  // namespace tsrun
