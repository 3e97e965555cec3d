#include "methods.h"
#include "outlier_share.h"
#include "switched.h"
#include "tsrun/base/error.h"

#include <algorithm>
#include <cmath>

namespace tsrun::layer_schedules {
namespace {

/// `count` layers without replacement, the next always in proportion to the weights that are left (Efraimidis & Spirakis, 2006). Layers of
/// weight 0 come last.
std::set<int> drawn_layers(const std::vector<double>& weights, int64_t count, Key key) {
  Stream draw(key);
  std::vector<std::pair<double, int>> times;  // of exponential clocks, whose rates are the weights
  for (size_t layer = 0; layer < weights.size(); ++layer)
    times.emplace_back(-std::log1p(-draw.uniform()) / std::max(weights[layer], 1e-12), static_cast<int>(layer));
  std::sort(times.begin(), times.end());
  std::set<int> layers;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) layers.insert(times[i].second);
  return layers;
}

}  // namespace

OptionTable Lisa::options() const {
  OptionTable table = {
      {.name = "layers", .type = OptionType::integer, .fallback = 2, .doc = "layers trained at a time", .minimum = 1},
      {.name = "sampling",
       .type = OptionType::choice,
       .fallback = "uniform",
       .doc = "probability of a layer: the same for all (LISA), or by the share of outliers among its weights (OWS)",
       .choices = {"uniform", "outlier"}},
      {.name = "outlier_factor",
       .type = OptionType::number,
       .fallback = 5.0,
       .doc = "sampling = outlier: a weight is one beyond so many times the mean magnitude of its matrix",
       .minimum = 0},
  };
  return table.include(switching_options(20, true));
}

std::unique_ptr<Selector> Lisa::make(const MethodInputs& inputs, const Options& options) const {
  const int layers = inputs.family.layers();
  const int64_t count = options.integer("layers");
  if (count > layers) user_error("lisa: option 'layers' is {}, the model has {}", count, layers);
  std::vector<double> weights(static_cast<size_t>(layers), 1.0);
  if (options.text("sampling") == "outlier") weights = outlier_shares(inputs.family, inputs.origin, options.number("outlier_factor"));
  const auto draw = [key = inputs.key, weights, count](int64_t period) {
    return drawn_layers(weights, count, key.split(static_cast<uint64_t>(period)));
  };
  return std::make_unique<Switched>(switching_of(options), layers, draw);
}

}  // namespace tsrun::layer_schedules
