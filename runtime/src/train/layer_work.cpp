#include "train/layer_work.h"

#include "tsrun/model/parts.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <functional>
#include <numeric>

namespace tsrun::training {
namespace {

/// Lowest layer whose input depends on the parameter, or that has it.
int depth_of(const ParameterInfo& info, int encoder, int all) {
  if (info.layer >= 0) return info.layer;
  if (info.part == Part::embeddings || info.part == Part::delta) return 0;
  return info.part == Part::encoder ? encoder : all;  // the encoder's final norm; pooler, head and the decoder's
}

double numbers_of(const ParameterInfo& info) {
  return static_cast<double>(std::accumulate(info.shape.begin(), info.shape.end(), int64_t{1}, std::multiplies<>()));
}

}  // namespace

LayerWork layer_work(const Family& family, const Weights& weights, int cached) {
  const int all = family.layers(), encoder = encoder_layers(family);
  int lowest = all;
  for (const ParameterInfo& info : family.parameters())
    if (weights.at(info.name).requires_grad()) lowest = std::min(lowest, depth_of(info, encoder, all));
  double total = 0, skipped = 0, back = 0;
  for (const ParameterInfo& info : family.parameters()) {
    if (info.layer < 0 || info.kind != ParameterKind::weight) continue;
    const double numbers = numbers_of(info);
    if (info.part != Part::delta) total += numbers;
    if (info.layer < cached) skipped += numbers;
    if (info.layer >= lowest) back += numbers;
    if (weights.at(info.name).requires_grad()) back += numbers;
  }
  return {1 - skipped / std::max(1.0, total), back / std::max(1.0, 2 * total)};
}

}  // namespace tsrun::training
