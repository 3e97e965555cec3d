#include "outlier_share.h"

#include "tsrun/base/operators.h"

namespace tsrun::layer_schedules {

std::vector<double> outlier_shares(const Family& family, const Weights& weights, double factor) {
  std::vector<double> outliers(static_cast<size_t>(family.layers())), numbers(outliers.size());
  for (const ParameterInfo& info : family.parameters()) {
    if (info.layer < 0 || info.kind != ParameterKind::weight || info.part == Part::delta) continue;
    const at::Tensor size = weights.at(info.name).detach().abs();
    outliers.at(static_cast<size_t>(info.layer)) += (size > size.mean() * factor).sum().item<double>();
    numbers.at(static_cast<size_t>(info.layer)) += static_cast<double>(size.numel());
  }
  for (size_t layer = 0; layer < outliers.size(); ++layer)
    if (numbers[layer] > 0) outliers[layer] /= numbers[layer];
  return outliers;
}

}  // namespace tsrun::layer_schedules
