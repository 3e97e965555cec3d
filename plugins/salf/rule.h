#pragma once

#include "tsrun/base/options.h"

#include <string>
#include <vector>

/// From deviations to a number of frozen layers. Layers count from 1 here, as in the paper's figure 2: gain[l - 1] is that of layer l.
namespace tsrun::salf {

/// Gain of every layer from the n + 1 deviations: how much less the deviation is behind it (`drop`), the same of logarithms (`log_drop`),
/// or the further drop that the local power law of depth promises for one layer more (`power_law`). May be negative.
std::vector<double> gains_of(const std::vector<double>& deviation, const std::string& gain);

OptionTable rule_options();

/// Number of frozen layers k, 0 to n - 1; the layers above it are trained. `cost`: shares of the layers, which sum to 1.
///
/// argmax:  the layer of the largest gain and all below it are frozen; where that is the last layer, `guard` decides
/// budget:  the fewest last layers whose gains reach `share` of all positive gains
/// benefit: the last layers with the largest (share of the positive gains - `price` · share of the cost)
int frozen_by(const std::vector<double>& gain, const std::vector<double>& cost, const Options& options);

/// Cost of a step with k frozen layers over that of full fine-tuning, where a layer's forward pass, its gradient of inputs and its gradient
/// of weights cost the same and nothing is recorded below. Whatever is frozen with the first layer belongs to its share.
double step_share(const std::vector<double>& cost, int frozen);

}  // namespace tsrun::salf
