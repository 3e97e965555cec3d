#include "tsrun/plugin/plugin.h"

#include <stdexcept>

TSRUN_PLUGIN(registry) { throw std::runtime_error("no licence found"); }
