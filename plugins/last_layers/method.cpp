#include "method.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <numeric>

namespace tsrun::last_layers {
namespace {

std::vector<int64_t> chosen_layers(const std::string& which, int64_t count, int64_t all, Key key) {
  std::vector<int64_t> layers(static_cast<size_t>(all));
  std::iota(layers.begin(), layers.end(), 0);
  if (which == "last") std::reverse(layers.begin(), layers.end());
  if (which == "random") layers = permutation(key.split("layers"), all);
  layers.resize(static_cast<size_t>(count));
  std::sort(layers.begin(), layers.end());
  return layers;
}

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "layers", .type = OptionType::integer, .doc = "number of trained layers", .required = true, .minimum = 0},
      {.name = "which",
       .type = OptionType::choice,
       .fallback = "last",
       .doc = "position of the trained layers",
       .choices = {"last", "first", "random"}},
      {.name = "embeddings",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "train the embeddings too; backward then runs through all layers"},
  };
}

std::optional<Choice> Method::choose(const MethodInputs& inputs, const Options& options) const {
  const int64_t all = inputs.family.layers(), count = options.integer("layers");
  if (count > all) user_error("last_layers: option 'layers' is {}, the model has {}", count, all);
  const auto layers = chosen_layers(options.text("which"), count, all, inputs.key);
  const bool embeddings = options.flag("embeddings");
  return Choice{scope_of_layers(inputs.family, {layers.begin(), layers.end()}, embeddings),
                {{"trained_layers", layers}, {"embeddings", embeddings}}};
}

}  // namespace tsrun::last_layers
