#pragma once

#include "mixing.h"

#include "tsrun/base/options.h"

#include <nlohmann/json.hpp>

#include <string>

namespace tsrun::joint_decomposition {

/// The options with every preset filled in.
struct Settings {
  int64_t dim = 4, steps = 100000, eval_every = 1000;
  double lr = 1e-4, gamma = 0.1, distance_weight = 0, column_length = 1;
  Mixing mixing = Mixing::release;
  bool mixture_per_example = false, crossed_encoder = false, tanh_decoder = false;
  std::string fit = "train", select_at = "fixed";
  nlohmann::json shown;  ///< the same, as a report shows it
};

OptionTable option_table();
Settings settings_of(const Options& options);

}  // namespace tsrun::joint_decomposition
