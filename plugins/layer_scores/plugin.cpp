#include "tsrun/plugin/plugin.h"

#include "methods.h"

TSRUN_PLUGIN(registry) {
  registry.add(std::make_unique<tsrun::layer_scores::Spectrum>());
  registry.add(std::make_unique<tsrun::layer_scores::GradientNorm>());
  registry.add(std::make_unique<tsrun::layer_scores::SignalToNoise>());
  registry.add(std::make_unique<tsrun::layer_scores::FisherLayers>());
  registry.add(std::make_unique<tsrun::layer_scores::CkaLayers>());
  registry.add(std::make_unique<tsrun::layer_scores::Ila>());
}
