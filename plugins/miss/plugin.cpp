#include "tsrun/plugin/plugin.h"

#include "method.h"

TSRUN_PLUGIN(registry) { registry.add(std::make_unique<tsrun::miss::Method>()); }
