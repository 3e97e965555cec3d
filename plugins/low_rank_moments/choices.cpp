#include "choices.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/delta.h"

#include <algorithm>
#include <set>

namespace tsrun::low_rank_moments {

OptionTable shared_options(int64_t rank, double scale, std::vector<std::string> sides) {
  return {
      {.name = "target_modules",
       .type = OptionType::list,
       .fallback = nlohmann::json::array({"all-linear"}),
       .doc = "Linear layers whose weights are updated so: names, their ends, sites, or all-linear. All else stays the optimiser's."},
      {.name = "exclude_modules", .type = OptionType::list, .fallback = nlohmann::json::array(), .doc = "Those of them left out."},
      {.name = "rank",
       .type = OptionType::integer,
       .fallback = rank,
       .doc = "Rank of the projected gradient; matrices with a side of no more stay the optimiser's.",
       .minimum = 1,
       .maximum = 65536},
      {.name = "update_proj_gap",
       .type = OptionType::integer,
       .fallback = 200,
       .doc = "Steps between two projections.",
       .minimum = 1,
       .unit = "steps"},
      {.name = "scale", .type = OptionType::number, .fallback = scale, .doc = "Factor of the update, see the method's page.", .minimum = 0},
      {.name = "proj_type",
       .type = OptionType::choice,
       .fallback = "std",
       .doc = "Side of the gradient [m, n] that is projected: the shorter (std), the longer (reverse_std), m (left), n (right), or both.",
       .choices = std::move(sides)},
      {.name = "beta1",
       .type = OptionType::number,
       .fallback = 0.9,
       .doc = "Adam's, in the few dimensions.",
       .minimum = 0,
       .maximum = 0.9999},
      {.name = "beta2", .type = OptionType::number, .fallback = 0.999, .doc = "Adam's.", .minimum = 0, .maximum = 0.999999},
      {.name = "epsilon", .type = OptionType::number, .fallback = 1e-6, .doc = "Adam's, beside √v without bias correction.", .minimum = 0},
  };
}

std::vector<std::string> chosen_matrices(const Family& family, const Options& options, const std::string& who) {
  std::set<std::string> chosen;
  int64_t widest = 0;
  const int64_t rank = options.integer("rank");
  for (const Target& target : find_targets(family, options.texts("target_modules"), options.texts("exclude_modules"), who)) {
    const LinearModule& module = target.module;
    const int64_t side = std::min(module.inputs, module.outputs);
    widest = std::max(widest, side);
    if (!module.shared && side > rank) chosen.insert(module.weight);
  }
  if (chosen.empty())
    user_error("{}: rank {} leaves no weight to update: the shorter side of the widest has {}; expected a rank below that", who, rank,
               widest);
  return {chosen.begin(), chosen.end()};
}

Wants wants_of(const Options& options, const std::string& who) {
  return {.whole_vocabulary = false, .updated = [options, who](const Family& family) { return chosen_matrices(family, options, who); }};
}

}  // namespace tsrun::low_rank_moments
