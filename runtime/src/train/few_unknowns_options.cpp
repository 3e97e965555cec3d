#include "train/few_unknowns_options.h"

#include "tsrun/train/few_unknowns.h"

namespace tsrun::training {

OptionTable few_unknowns_options() {
  return {
      {.name = "lbfgs_history",
       .type = OptionType::integer,
       .fallback = 10,
       .doc = "Pairs of steps and gradient changes that L-BFGS remembers.",
       .minimum = 1,
       .maximum = kFewUnknowns},
      {.name = "lm_damping",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "Damping that Levenberg-Marquardt begins with: its first step is at most 1/lm_damping long.",
       .minimum = 1e-12},
      {.name = "lm_jacobian",
       .type = OptionType::choice,
       .fallback = "backward",
       .doc = "How Levenberg-Marquardt differentiates the batch's outputs: exactly, by a backward pass for every output, or by forward "
              "differences, a forward pass for every coordinate. (Beyond 512 coordinates only products with the Jacobian are made.)",
       .choices = {"backward", "differences"}},
      {.name = "lm_difference",
       .type = OptionType::number,
       .fallback = 1e-3,
       .doc = "Width of those differences in a coordinate, and of those along a direction beyond 512 coordinates.",
       .minimum = 1e-8},
      {.name = "population",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Candidates of a CMA-ES generation, at least 2, a forward pass each; 0: 4 + 3 ln n.",
       .minimum = 0,
       .maximum = 65536},
      {.name = "sigma",
       .type = OptionType::number,
       .fallback = 0.1,
       .doc = "Deviation of a coordinate in CMA-ES's first generation.",
       .minimum = 1e-12},
      {.name = "spsa_a", .type = OptionType::number, .fallback = 0.1, .doc = "Numerator of SPSA's gains.", .minimum = 0},
      {.name = "spsa_c",
       .type = OptionType::number,
       .fallback = 0.1,
       .doc = "Distance in a coordinate at which SPSA first looks to both sides.",
       .minimum = 1e-12},
      {.name = "spsa_stability",
       .type = OptionType::number,
       .fallback = 10.0,
       .doc = "Steps added to SPSA's count in its gains (A; a tenth of the steps is usual).",
       .minimum = 0},
  };
}

}  // namespace tsrun::training
