#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/extra_deltas.h"
#include "tsrun/tune/weight_update.h"

#include <cmath>

namespace tsrun {

OptionTable weight_update_options(const std::string& what, const std::string& only_bias) {
  OptionTable table = module_rule_options(nlohmann::json::array({"query", "value"}), what, LayerRules::by_number);
  if (only_bias.empty()) return table;
  table.add({.name = "bias",
             .type = OptionType::choice,
             .fallback = "none",
             .doc = "Trained biases of the model: all, or those of adapted modules (" + only_bias + ").",
             .choices = {"none", "all", only_bias}});
  return table;
}

std::unique_ptr<Delta> with_other_parameters(std::unique_ptr<Delta> update, const Family& family, const Options& options,
                                             const std::vector<Target>& targets, const std::string& where) {
  std::vector<std::unique_ptr<Delta>> all;
  all.push_back(std::move(update));
  if (options.has("bias")) all.push_back(trained_biases(family, options, targets));
  return with_saved_modules(together(std::move(all)), family, options, where);
}

OptionTable rank_options(int64_t rank, int64_t alpha) {
  using nlohmann::json;
  return {
      {.name = "r", .type = OptionType::integer, .fallback = rank, .doc = "Rank of the factors.", .minimum = 1, .maximum = 4096},
      {.name = "alpha", .type = OptionType::number, .fallback = alpha, .doc = "The update is scaled by alpha / r.", .minimum = 0},
      {.name = "rank_pattern",
       .type = OptionType::table,
       .fallback = json::object(),
       .doc = "Ranks by module: regular expressions for its name or its end behind a dot; a table, or pairs { pattern, rank } in order.",
       .choices = {"list"}},
      {.name = "alpha_pattern",
       .type = OptionType::table,
       .fallback = json::object(),
       .doc = "Alphas by module, in the same form.",
       .choices = {"list"}},
  };
}

std::map<std::string, double> numbers_of(const std::vector<Target>& targets, const Family& family, const Options& options,
                                         const std::string& pattern_option, double fallback, const std::string& where) {
  const NumbersByPattern patterns(options.value(pattern_option), where + ": " + pattern_option);
  std::map<std::string, double> numbers;
  std::vector<std::string> names;
  for (const Target& target : targets) {
    names.push_back(rule_name(family, options, target.module.name));
    numbers[target.module.name] = patterns.of(names.back(), fallback);
  }
  patterns.warn_of_unused(names);
  return numbers;
}

std::map<std::string, RankAndScale> ranks_of(const std::vector<Target>& targets, const Family& family, const Options& options,
                                             const std::string& where) {
  const auto ranks = numbers_of(targets, family, options, "rank_pattern", static_cast<double>(options.integer("r")), where);
  const auto alphas = numbers_of(targets, family, options, "alpha_pattern", options.number("alpha"), where);
  std::map<std::string, RankAndScale> result;
  for (const auto& [module, rank] : ranks) {
    if (rank < 1 || rank != std::floor(rank))
      user_error("{}: rank_pattern: rank {} for {}, expected a whole number from 1", where, rank, module);
    result[module] = {static_cast<int64_t>(rank), alphas.at(module) / rank};
  }
  return result;
}

double linear_bound(int64_t columns) { return 1 / std::sqrt(static_cast<double>(columns)); }

PrincipalPart principal_part(const Target& target, const Weights& weights, int64_t rank) {
  const at::Tensor weight = weights.at(target.module.weight).detach(), wide = weight.to(at::kDouble);
  const auto [u, s, v] = at::linalg_svd(target.module.transposed ? wide.t() : wide, /*full_matrices=*/false);
  const at::Tensor rows = v.narrow(0, 0, rank);
  const at::Tensor signs = rows.gather(1, rows.abs().argmax(1, /*keepdim=*/true)).sign();
  const auto rounded = [&](const at::Tensor& part) { return part.to(weight.scalar_type()); };
  return {rounded(u.narrow(1, 0, rank) * signs.t()), rounded(s.narrow(0, 0, rank)), rounded(rows * signs)};
}

}  // namespace tsrun
