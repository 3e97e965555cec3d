#include "tsrun/tune/mixed_weight.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/linalg/marked.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace tsrun {
namespace {

/// Factor of weight − target where it is kept.
double stretch(double p) { return p == 1 ? 0 : 1 / (1 - p); }

bool mixes_by_rows(const at::Tensor& weight, const at::Tensor& target, const at::Tensor& kept) {
  const auto plain = [](const at::Tensor& x) { return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous(); };
  return weight.dim() == 2 && plain(weight) && plain(target) && kept.device().is_cpu() && kept.dim() >= 1;
}

/// Reads each buffer once. A row of `kept` is one number for all columns, or one for each.
at::Tensor mix_by_rows(const at::Tensor& weight, const at::Tensor& target, const at::Tensor& kept, double p) {
  const at::Tensor spread = kept.contiguous().expand(weight.sizes());
  const bool* from = spread.const_data_ptr<bool>();
  const int64_t columns = weight.size(1), row_step = spread.stride(0),
                grain = std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, columns));
  const bool one_for_all = spread.stride(1) == 0;
  at::Tensor out = at::empty_like(weight);
  const float *w = weight.const_data_ptr<float>(), *t = target.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  parallel_for(weight.size(0), grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t first = row * columns;
      const std::span<const float> numbers(w + first, static_cast<size_t>(columns));
      const bool* marks = from + row * row_step;
      const auto factor = static_cast<float>(stretch(p));
      if (one_for_all) {
        mix_marked(numbers, t + first, nullptr, *marks ? factor : 0, to + first);
      } else {
        mix_marked(numbers, t + first, marks, factor, to + first);
      }
    }
  });
  return out;
}

/// Linear in the weight, so that backward is the same product to any order.
struct MixedWeight : torch::autograd::Function<MixedWeight> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& weight, const at::Tensor& target,
                            const at::Tensor& kept, double p, bool rescale_gradient, bool everywhere) {
    if (!everywhere) context->saved_data["kept"] = kept;
    context->saved_data["factor"] = rescale_gradient ? stretch(p) : 1.0;
    if (mixes_by_rows(weight, target, kept)) return mix_by_rows(weight, target, kept, p);
    return target + (weight - target) * kept.to(weight.scalar_type()) * stretch(p);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    const double factor = context->saved_data["factor"].toDouble();
    const auto kept = context->saved_data.find("kept");
    const bool whole = kept == context->saved_data.end();
    const at::Tensor passed = whole ? grads[0] : at::where(kept->second.toTensor(), grads[0], at::zeros({}, grads[0].options()));
    return {factor == 1 ? passed : passed * factor, {}, {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor mixed_weight(const at::Tensor& weight, const at::Tensor& target, const at::Tensor& kept, double p, bool rescale_gradient,
                        bool everywhere) {
  if (!(p >= 0 && p <= 1)) internal_error("mixed_weight: p is {}, expected 0 to 1", p);
  if (kept.scalar_type() != at::kBool) internal_error("mixed_weight: kept has type {}, expected bool", at::toString(kept.scalar_type()));
  return MixedWeight::apply(weight, target.detach().to(weight.device()), kept.to(weight.device()), p, rescale_gradient, everywhere);
}

at::Tensor draw_kept(const ParameterInfo& parameter, double p, bool per_input, Key key) {
  std::vector<int64_t> shape = parameter.shape;
  if (per_input && parameter.kind == ParameterKind::weight && shape.size() == 2)
    shape = parameter.transposed ? std::vector<int64_t>{shape[0], 1} : std::vector<int64_t>{shape[1]};
  at::Tensor numbers = at::empty(shape, at::kFloat);
  float* data = numbers.mutable_data_ptr<float>();
  parallel_for(numbers.numel(), 1 << 16, [&](int64_t begin, int64_t end) {
    fill_uniform(key, {data + begin, static_cast<size_t>(end - begin)}, static_cast<uint64_t>(begin));
  });
  return numbers >= p;
}

}  // namespace tsrun
