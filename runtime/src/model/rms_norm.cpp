#include "model/rms_norm.h"

#include "model/composition.h"
#include "model/norm_kernel.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace tsrun::model {
namespace {

constexpr int64_t rows_of_a_thread = 64, most_parts = 64;  // parts have sums of their own: their number must not depend on threads

struct Normed {
  at::Tensor y, inverse;
};

Normed normed(const at::Tensor& x, const at::Tensor& gain, double epsilon) {
  Normed out{at::empty_like(x), at::empty({x.size(0)}, x.options())};
  const float *in = x.const_data_ptr<float>(), *g = gain.const_data_ptr<float>();
  float *y = out.y.mutable_data_ptr<float>(), *inverse = out.inverse.mutable_data_ptr<float>();
  parallel_for(x.size(0), rows_of_a_thread, [&](int64_t begin, int64_t end) {
    rms_norm_forward(in, g, static_cast<float>(epsilon), x.size(1), y, inverse, begin, end);
  });
  return out;
}

struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& gain, double epsilon) {
    const Normed out = normed(x.contiguous(), gain.contiguous(), epsilon);
    context->save_for_backward({x, gain, out.inverse});
    context->saved_data["epsilon"] = epsilon;
    return out.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    if (at::GradMode::is_enabled()) {
      const double epsilon = context->saved_data["epsilon"].toDouble();
      const auto found = differentiable_gradients({saved[0], saved[1]}, grads[0],
                                                  [&] { return at::rms_norm(saved[0], {saved[0].size(1)}, saved[1], epsilon); });
      return {found[0], found[1], {}};
    }
    const at::Tensor x = saved[0].contiguous(), gain = saved[1].contiguous(), grad = grads[0].contiguous();
    const int64_t rows = x.size(0), width = x.size(1), part = std::max(rows_of_a_thread, (rows + most_parts - 1) / most_parts),
                  parts = (rows + part - 1) / part;
    at::Tensor grad_x = at::empty_like(x), sums = at::zeros({parts, width}, x.options());
    const float *g = grad.const_data_ptr<float>(), *in = x.const_data_ptr<float>(), *w = gain.const_data_ptr<float>();
    const float* inverse = saved[2].const_data_ptr<float>();
    float *gx = grad_x.mutable_data_ptr<float>(), *s = sums.mutable_data_ptr<float>();
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        rms_norm_backward(g, in, w, inverse, width, gx, s + i * width, i * part, std::min(rows, (i + 1) * part));
    });
    return {grad_x, sums.sum(0), {}};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double epsilon) {
  if (!runs_on_kernel({x, gain})) return at::rms_norm(x, {x.size(1)}, gain, epsilon);
  if (!learns({x, gain})) return normed(x.contiguous(), gain.contiguous(), epsilon).y;
  return RmsNormFunction::apply(x, gain, epsilon);
}

}  // namespace tsrun::model
