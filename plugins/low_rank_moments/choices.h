#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/step_events.h"

#include <string>
#include <vector>

/// Shared by both methods: which matrices they update, and Adam's constants.
namespace tsrun::low_rank_moments {

/// target_modules, exclude_modules, rank, update_proj_gap, proj_type, beta1, beta2, epsilon.
OptionTable shared_options(int64_t rank, double scale, std::vector<std::string> sides);

/// Weights that the targets mean, both of whose sides are above `rank`: others would gain nothing and stay the optimiser's.
/// @throws Error(user) "`who`: …" when there is none
std::vector<std::string> chosen_matrices(const Family& family, const Options& options, const std::string& who);

/// No words are looked at, and the chosen matrices are the plugin's to update.
Wants wants_of(const Options& options, const std::string& who);

}  // namespace tsrun::low_rank_moments
