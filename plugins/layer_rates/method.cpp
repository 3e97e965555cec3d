#include "method.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tsrun::layer_rates {
namespace {

/// Steps below the head: 1 is the top layer, one more than there are layers the embeddings.
class Depths {
 public:
  explicit Depths(const Family& family) : layers_(family.layers()) {
    for (const ParameterInfo& info : family.parameters()) top_[info.part] = std::max(top_[info.part], info.layer);
  }

  int of(const ParameterInfo& info) const {
    if (info.part == Part::embeddings) return layers_ + 1;
    const bool in_stack = info.part == Part::encoder || info.part == Part::decoder;
    const int layer = info.layer < 0 && in_stack ? top_.at(info.part) : info.layer;  // a norm behind a stack goes with its last layer
    return layer < 0 ? 0 : layers_ - layer;
  }

 private:
  int layers_;
  std::map<Part, int> top_;
};

}  // namespace

OptionTable Method::options() const {
  return {{.name = "decay",
           .type = OptionType::number,
           .fallback = 0.95,
           .doc = "factor from one layer to the next below",
           .minimum = 0.001,
           .maximum = 1}};
}

std::optional<Choice> Method::choose(const MethodInputs& inputs, const Options& options) const {
  const Depths depths(inputs.family);
  Choice choice;
  for (const ParameterInfo& info : inputs.family.parameters()) {
    const double rate = std::pow(options.number("decay"), depths.of(info));
    choice.scope.parameters[info.name].rate = rate;
    choice.table[info.layer < 0 ? std::string(name_of(info.part)) : "layer " + std::to_string(info.layer)] = rate;
  }
  return choice;
}

}  // namespace tsrun::layer_rates
