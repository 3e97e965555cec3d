#include "statistics.h"

#include "tsrun/tune/entry_masks.h"

#include <ATen/ATen.h>

namespace tsrun::dps {
namespace {

at::Tensor largest_scores(const at::Tensor& scores, const Settings& settings) {
  const int64_t kept = share_of_elements(1 - settings.frozen_share, scores.numel());
  const at::Tensor mask = largest_elements(scores, kept);
  if (!settings.keep_ties || kept == 0) return mask;
  return scores >= scores.masked_select(mask).min();
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
  std::map<std::string, at::Tensor> masks;
  if (!settings.global) {
    for (const auto& [name, own] : sums) masks[name] = largest_scores(score(own, settings), settings);
    return masks;
  }
  std::vector<at::Tensor> flat;
  for (const auto& [name, own] : sums) flat.push_back(score(own, settings).reshape({-1}));
  const at::Tensor chosen = largest_scores(at::cat(flat), settings);
  int64_t offset = 0;
  for (const auto& [name, own] : sums) {
    masks[name] = chosen.narrow(0, offset, own.squares.numel()).reshape(own.squares.sizes()).clone();
    offset += own.squares.numel();
  }
  return masks;
}

}  // namespace tsrun::dps
