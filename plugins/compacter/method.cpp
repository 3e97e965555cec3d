#include "method.h"

#include "compacter.h"

namespace tsrun::compacter {

OptionTable Method::options() const {
  return {
      bottleneck_style_option(),
      {.name = "hypercomplex_division",
       .type = OptionType::integer,
       .fallback = 4,
       .doc = "n: number of Kronecker products in each layer's weight; divides its inputs and outputs.",
       .minimum = 1,
       .maximum = 64},
      {.name = "reduction_factor",
       .type = OptionType::number,
       .fallback = 32,
       .doc = "Hidden size over bottleneck width, which is rounded to a multiple of n.",
       .minimum = 1},
      {.name = "bottleneck",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Bottleneck width; 0: by reduction_factor.",
       .minimum = 0,
       .maximum = 65536},
      {.name = "factorized", .type = OptionType::boolean, .fallback = true, .doc = "Every B_i is a product of two thin matrices."},
      {.name = "rank", .type = OptionType::integer, .fallback = 1, .doc = "Rank of the factorised B_i.", .minimum = 1, .maximum = 4096},
      {.name = "shared", .type = OptionType::boolean, .fallback = true, .doc = "All adapters share the A_i."},
      activation_option("gelu"),
      {.name = "biases", .type = OptionType::boolean, .fallback = true, .doc = "Both layers have a bias."},
      {.name = "init",
       .type = OptionType::choice,
       .fallback = "identity",
       .doc = "Initialisation: second layer zero, so that the model starts unchanged (identity), or every B_i Glorot uniform (normal). The "
              "A_i are N(0, init_std²) in both; biases are zero.",
       .choices = {"identity", "normal"}},
      {.name = "init_std",
       .type = OptionType::number,
       .fallback = 0.01,
       .doc = "Standard deviation of the A_i's initialisation.",
       .minimum = 0},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  Shape shape;
  shape.terms = options.integer("hypercomplex_division");
  shape.bottleneck = options.integer("bottleneck");
  shape.reduction = options.number("reduction_factor");
  shape.rank = options.flag("factorized") ? options.integer("rank") : 0;
  shape.shared = options.flag("shared");
  shape.biases = options.flag("biases");
  shape.identity = options.text("init") == "identity";
  shape.deviation = options.number("init_std");
  shape.activation = bottleneck_activation(options.text("activation"));
  return std::make_unique<Compacter>(bottleneck_places(family, options.text("style"), "compacter"), shape);
}

}  // namespace tsrun::compacter
