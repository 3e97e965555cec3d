#include "train/clip.h"

#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/linalg/sum_of_squares.h"
#include "tsrun/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tsrun {
namespace {

/// Blocks are cut by position, never by thread, so the sum is the same for any number of threads.
constexpr int64_t kBlock = 1 << 15;

}  // namespace

namespace training {

double squared_norm(const at::Tensor& tensor) {
  if (!tensor.is_cpu()) return tensor.to(at::kDouble).square().sum().item<double>();
  const float* x = tensor.const_data_ptr<float>();
  const int64_t size = tensor.numel();
  std::vector<double> partial(static_cast<size_t>((size + kBlock - 1) / kBlock));
  parallel_for(static_cast<int64_t>(partial.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      partial[static_cast<size_t>(b)] = sum_of_squares({x + b * kBlock, static_cast<size_t>(std::min(kBlock, size - b * kBlock))});
  });
  double sum = 0;
  for (const double part : partial) sum += part;
  return sum;
}

}  // namespace training

double clip_gradients(std::vector<ParameterGroup>& groups, double maximum) {
  const at::NoGradGuard no_grad;
  double sum = 0;
  for (const auto& group : groups) sum += training::squared_norm(group.gradient);
  const double norm = std::sqrt(sum);
  const double factor = maximum / (norm + 1e-6);  // the small number is torch.nn.utils.clip_grad_norm_'s
  if (maximum > 0 && std::isfinite(norm) && factor < 1) {
    for (auto& group : groups) group.gradient.mul_(factor);
  }
  return norm;
}

}  // namespace tsrun
