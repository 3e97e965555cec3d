#include "model/dropout_factors.h"
#include "model/dropout_kernel.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/model/kernels.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace tsrun {
namespace model {
namespace {

constexpr int64_t word_mask = 0xffffffff;

bool kernel_takes(const at::Tensor& x) { return x.device().is_cpu() && x.scalar_type() == at::kFloat; }

at::Tensor apply_mask(const at::Tensor& x, const DropoutMask& mask) {
  constexpr int64_t grain = 1 << 14;
  const at::Tensor in = x.contiguous();
  at::Tensor out = at::empty_like(in);
  const float* from = in.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  parallel_for(in.numel(), grain, [&](int64_t begin, int64_t end) { dropout_range(mask, from, to, begin, end); });
  return out;
}

/// The same in ATen operations, which keep the factors for the backward pass.
at::Tensor apply_factors(const at::Tensor& x, const DropoutMask& mask) {
  const at::Tensor positions = at::arange(x.numel(), x.options().dtype(at::kLong).requires_grad(false));
  return x * dropout_factors(mask, at::zeros({1}, positions.options()), positions).view(x.sizes()).to(x.scalar_type());
}

/// Linear in x and symmetric: backward is the same product, to any order.
struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, double p, Key key) {
    context->saved_data["p"] = p;
    context->saved_data["low"] = static_cast<int64_t>(key.words()[0]);
    context->saved_data["high"] = static_cast<int64_t>(key.words()[1]);
    return apply_mask(x, dropout_mask(p, key));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    DropoutMask mask = dropout_mask(context->saved_data["p"].toDouble(), Key::root(0));
    mask.key_low = static_cast<uint32_t>(context->saved_data["low"].toInt());
    mask.key_high = static_cast<uint32_t>(context->saved_data["high"].toInt());
    return {at::GradMode::is_enabled() ? apply_factors(grads[0], mask) : apply_mask(grads[0], mask), {}, {}};
  }
};

/// High and low words of a 32-bit product, in int64 arithmetic that wraps.
std::pair<at::Tensor, at::Tensor> multiply_wide(const at::Tensor& x, int64_t factor) {
  const at::Tensor product = x * factor;
  return {product.__rshift__(32).bitwise_and(word_mask), product.bitwise_and(word_mask)};
}

}  // namespace

DropoutMask dropout_mask(double p, Key key) {
  if (!(p >= 0 && p < 1)) internal_error("dropout: probability {} is outside [0, 1)", p);
  const auto threshold = static_cast<uint32_t>(std::lround(p * 65536));
  return {key.words()[0], key.words()[1], threshold, static_cast<float>(1 / (1 - p))};
}

at::Tensor dropout_factors(const DropoutMask& mask, const at::Tensor& units, const at::Tensor& positions) {
  const at::Tensor group = positions.floor_divide(mask_group), within = positions.remainder(mask_group);
  at::Tensor a = group * 16 + within.remainder(16), b = units.bitwise_and(word_mask);
  at::Tensor c = at::zeros({1}, a.options()), d = c;
  int64_t low = mask.key_low, high = mask.key_high;
  for (int round = 0; round < 10; ++round) {
    const auto [high0, low0] = multiply_wide(a, 0xD2511F53);
    const auto [high1, low1] = multiply_wide(c, 0xCD9E8D57);
    a = high1.bitwise_xor(b).bitwise_xor(low);
    c = high0.bitwise_xor(d).bitwise_xor(high);
    b = low1;
    d = low0;
    low = (low + 0x9E3779B9) & word_mask;
    high = (high + 0xBB67AE85) & word_mask;
  }
  const at::Tensor word = within.floor_divide(16).remainder(4);
  const at::Tensor chosen = at::where(word == 0, a, at::where(word == 1, b, at::where(word == 2, c, d)));
  const at::Tensor number = at::where(within < 64, chosen.bitwise_and(0xffff), chosen.__rshift__(16));
  return (number >= static_cast<int64_t>(mask.threshold)).to(at::kFloat) * mask.scale;
}

}  // namespace model

at::Tensor dropout(const at::Tensor& x, double p, Key key) {
  using namespace model;
  const DropoutMask mask = dropout_mask(p, key);
  if (mask.threshold == 0) return x;
  return kernel_takes(x) ? DropoutFunction::apply(x, p, key) : apply_factors(x, mask);
}

}  // namespace tsrun
