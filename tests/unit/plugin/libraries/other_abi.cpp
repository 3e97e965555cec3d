#include "tsrun/plugin/plugin.h"

#include <cstdlib>

namespace {
/// Ends the process when any of this library's code runs: the host must refuse it before.
struct Bomb {
  Bomb() { std::abort(); }
} bomb;
}  // namespace

TSRUN_PLUGIN(registry) {}
