#include "methods.h"
#include "switched.h"
#include "tsrun/base/error.h"

#include <algorithm>

namespace tsrun::layer_schedules {
namespace {

/// Group `turn` of a round; random rounds are permutations of their own.
int64_t group_at(const std::string& order, int64_t period, int64_t groups, Key key) {
  const int64_t turn = period % groups;
  if (order == "front_to_end") return turn;
  if (order == "end_to_front") return groups - 1 - turn;
  return permutation(key.split(static_cast<uint64_t>(period / groups)), groups)[static_cast<size_t>(turn)];
}

}  // namespace

OptionTable LayerByLayer::options() const {
  OptionTable table = {
      {.name = "layers", .type = OptionType::integer, .fallback = 1, .doc = "neighbouring layers trained at a time", .minimum = 1},
      {.name = "order",
       .type = OptionType::choice,
       .fallback = "front_to_end",
       .doc = "order of a round through all layers",
       .choices = {"front_to_end", "end_to_front", "random"}},
  };
  return table.include(switching_options(20, false));
}

std::unique_ptr<Selector> LayerByLayer::make(const MethodInputs& inputs, const Options& options) const {
  const int64_t layers = inputs.family.layers(), size = options.integer("layers");
  if (size > layers) user_error("layer_by_layer: option 'layers' is {}, the model has {}", size, layers);
  const auto group = [=, order = options.text("order"), key = inputs.key](int64_t period) {
    const int64_t first = size * group_at(order, period, (layers + size - 1) / size, key);
    std::set<int> chosen;
    for (int64_t layer = first; layer < std::min(first + size, layers); ++layer) chosen.insert(static_cast<int>(layer));
    return chosen;
  };
  return std::make_unique<Switched>(switching_of(options), inputs.family.layers(), group);
}

}  // namespace tsrun::layer_schedules
