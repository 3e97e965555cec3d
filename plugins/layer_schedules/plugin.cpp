#include "tsrun/plugin/plugin.h"

#include "methods.h"

TSRUN_PLUGIN(registry) {
  registry.add(std::make_unique<tsrun::layer_schedules::FreezeOut>());
  registry.add(std::make_unique<tsrun::layer_schedules::AutoFreeze>());
  registry.add(std::make_unique<tsrun::layer_schedules::Lisa>());
  registry.add(std::make_unique<tsrun::layer_schedules::LayerByLayer>());
}
