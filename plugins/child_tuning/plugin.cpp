#include "tsrun/plugin/plugin.h"

#include "method.h"

TSRUN_PLUGIN(registry) {
  registry.add(std::make_unique<tsrun::child_tuning::Method>());
  registry.add(std::make_unique<tsrun::child_tuning::ChildNetwork>());
}
