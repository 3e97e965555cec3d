#include "method.h"

#include "adapter.h"

namespace tsrun::adapter {

OptionTable Method::options() const {
  return {
      bottleneck_style_option(),
      {.name = "bottleneck", .type = OptionType::integer, .fallback = 16, .doc = "Bottleneck width.", .minimum = 1, .maximum = 65536},
      activation_option("relu"),
      {.name = "biases", .type = OptionType::boolean, .fallback = true, .doc = "Both layers have a bias."},
      {.name = "scale",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "Factor of the adapter's output (He et al. use 4 with parallel adapters)."},
      {.name = "init",
       .type = OptionType::choice,
       .fallback = "identity",
       .doc = "Initialisation: second layer zero, so that the model starts unchanged (identity), or both layers N(0, init_std²). Biases "
              "are zero.",
       .choices = {"identity", "normal"}},
      {.name = "init_std", .type = OptionType::number, .fallback = 0.02, .doc = "Standard deviation of the first weights.", .minimum = 0},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const Shape shape{options.integer("bottleneck"),
                    bottleneck_activation(options.text("activation")),
                    options.flag("biases"),
                    options.number("scale"),
                    options.text("init") == "identity",
                    options.number("init_std")};
  return std::make_unique<Adapter>(bottleneck_places(family, options.text("style"), "adapter"), shape);
}

}  // namespace tsrun::adapter
