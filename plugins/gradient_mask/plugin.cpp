#include "tsrun/plugin/plugin.h"

#include "gradient_mask_tuning.h"
#include "method.h"
#include "sift.h"

TSRUN_PLUGIN(registry) {
  registry.add(std::make_unique<tsrun::gradient_mask::Method>());
  registry.add(std::make_unique<tsrun::gradient_mask::Sift>());
  registry.add(std::make_unique<tsrun::gradient_mask::GradientMaskTuning>());
}
