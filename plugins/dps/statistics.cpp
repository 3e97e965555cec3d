#include "statistics.h"

#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"

#include <cmath>

namespace tsrun::dps {
namespace {

/// Adds the elements that tie with the least one chosen, of each tensor or of all.
void add_ties(const std::vector<at::Tensor>& scores, std::vector<at::Tensor>& masks, bool together) {
  std::vector<at::Tensor> least;
  for (size_t i = 0; i < masks.size(); ++i) {
    const at::Tensor none = at::full({}, INFINITY, scores[i].options());
    least.push_back(scores[i].numel() > 0 ? at::where(masks[i], scores[i], none).min() : none);
  }
  const at::Tensor of_all = at::stack(least).min();
  for (size_t i = 0; i < masks.size(); ++i) masks[i] = scores[i] >= (together ? of_all : least[i]);
}

}  // namespace

void add_square(at::Tensor& sums, const at::Tensor& gradient) {
  if (sums.defined())
    sums.addcmul_(gradient, gradient);
  else
    sums = gradient.square();
}

at::Tensor score(const Sums& sums, const Settings& settings) {
  if (!sums.counts.defined()) return sums.squares;
  const at::Tensor counts = sums.counts.to(at::kFloat);
  const at::Tensor mean = sums.squares / counts.clamp_min(1);
  const bool penalised = settings.penalty_steps > 0 && settings.stage_steps >= settings.penalty_steps;
  return penalised ? mean * (counts / -static_cast<double>(settings.stage_steps)).exp() : mean;
}

std::map<std::string, at::Tensor> largest(const SumsByName& sums, const Settings& settings) {
  std::vector<at::Tensor> scores;
  for (const auto& [name, own] : sums) scores.push_back(score(own, settings));
  std::vector<at::Tensor> chosen = largest_shares(scores, 1 - settings.frozen_share, settings.global);
  if (settings.keep_ties) add_ties(scores, chosen, settings.global);
  std::map<std::string, at::Tensor> masks;
  size_t i = 0;
  for (const auto& [name, own] : sums) masks[name] = chosen[i++];
  return masks;
}

}  // namespace tsrun::dps
