#include "tsrun/plugin/plugin.h"

#include "factors.h"
#include "method.h"

TSRUN_PLUGIN(registry) {
  registry.add(std::make_unique<tsrun::spectrum_control::FactorsMethod>());
  registry.add(std::make_unique<tsrun::spectrum_control::Method>());
}
