#include "model/add_norm.h"

#include "model/composition.h"
#include "model/dropout_factors.h"
#include "model/norm_kernel.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace tsrun::model {
namespace {

constexpr int64_t grain = 64;        // rows
constexpr int64_t most_chunks = 64;  // of rows, each with its own sums for gain and bias: their number must not depend on threads

at::Tensor compose(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& gain, const at::Tensor& bias,
                   const AddNormOptions& options) {
  at::Tensor dropped = x;
  if (const DropoutMask mask = dropout_mask(options.dropout, options.key); mask.threshold > 0) {
    const auto whole = x.options().dtype(at::kLong);
    const at::Tensor places = options.places.defined() ? options.places.to(x.device()) : at::arange(x.size(0), whole);
    const at::Tensor positions = places.unsqueeze(1) * x.size(1) + at::arange(x.size(1), whole);
    dropped = x * dropout_factors(mask, at::zeros({1}, whole), positions).to(x.scalar_type());
  }
  return at::layer_norm(residual + dropped, {x.size(1)}, gain, bias, options.epsilon);
}

struct AddNormCall : torch::CustomClassHolder {
  explicit AddNormCall(const AddNormOptions& o) : options(o) {}
  AddNorm op(const at::Tensor& gain) const {
    AddNorm op;
    op.width = gain.size(0);
    op.dropout = dropout_mask(options.dropout, options.key);
    op.places = options.places.defined() ? options.places.const_data_ptr<int64_t>() : nullptr;
    op.gain = gain.const_data_ptr<float>();
    op.epsilon = static_cast<float>(options.epsilon);
    return op;
  }
  AddNormOptions options;
};

std::vector<float> factor_buffer(const AddNorm& op) { return std::vector<float>(static_cast<size_t>(op.width + 2 * mask_group)); }

std::vector<at::Tensor> run_backward(const AddNormCall& call, const at::Tensor& gain, const at::Tensor& normal, const at::Tensor& inverse,
                                     const at::Tensor& grad) {
  const AddNorm op = call.op(gain);
  const int64_t rows = grad.size(0), chunk = std::max<int64_t>(grain, (rows + most_chunks - 1) / most_chunks),
                chunks = (rows + chunk - 1) / chunk;
  at::Tensor grad_residual = at::empty_like(grad), grad_x = op.dropout.threshold > 0 ? at::empty_like(grad) : grad_residual;
  at::Tensor sums = at::zeros({2, chunks, op.width}, grad.options());
  const float *g = grad.const_data_ptr<float>(), *hat = normal.const_data_ptr<float>(), *scale = inverse.const_data_ptr<float>();
  float *gx = grad_x.mutable_data_ptr<float>(), *gr = grad_residual.mutable_data_ptr<float>(), *s = sums.mutable_data_ptr<float>();
  parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> factors = factor_buffer(op);
    for (int64_t i = begin; i < end; ++i) {
      add_norm_backward(op, g, hat, scale, gx, gr, s + i * op.width, s + (chunks + i) * op.width, i * chunk,
                        std::min(rows, (i + 1) * chunk), factors.data());
    }
  });
  const at::Tensor totals = sums.sum(1);
  return {grad_x, grad_residual, totals[0], totals[1]};
}

struct AddNormFunction : torch::autograd::Function<AddNormFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& residual,
                            const at::Tensor& gain, const at::Tensor& bias, const AddNormOptions& options) {
    const auto call = c10::make_intrusive<AddNormCall>(options);
    const at::Tensor in = x.contiguous(), through = residual.contiguous(), g = gain.contiguous(), b = bias.contiguous();
    at::Tensor out = at::empty_like(in), normal = at::empty_like(in), inverse = at::empty({in.size(0)}, in.options());
    const AddNorm op = call->op(g);
    const float *px = in.const_data_ptr<float>(), *pr = through.const_data_ptr<float>(), *pb = b.const_data_ptr<float>();
    float *po = out.mutable_data_ptr<float>(), *pn = normal.mutable_data_ptr<float>(), *pi = inverse.mutable_data_ptr<float>();
    parallel_for(in.size(0), grain, [&](int64_t begin, int64_t end) {
      std::vector<float> factors = factor_buffer(op);
      add_norm_forward(op, px, pr, pb, po, pn, pi, begin, end, factors.data());
    });
    context->save_for_backward({x, residual, gain, bias, normal, inverse});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto holder = context->saved_data["call"].toCapsule();
    const auto& call = static_cast<const AddNormCall&>(*holder);
    std::vector<at::Tensor> found;
    if (at::GradMode::is_enabled()) {
      found = differentiable_gradients({saved[0], saved[1], saved[2], saved[3]}, grads[0],
                                       [&] { return compose(saved[0], saved[1], saved[2], saved[3], call.options); });
    } else {
      found = run_backward(call, saved[2].contiguous(), saved[4], saved[5], grads[0].contiguous());
    }
    return {found[0], found[1], found[2], found[3], {}};
  }
};

}  // namespace

at::Tensor add_norm(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& gain, const at::Tensor& bias,
                    const AddNormOptions& options) {
  if (!runs_on_kernel({x, residual, gain, bias})) return compose(x, residual, gain, bias, options);
  return AddNormFunction::apply(x, residual, gain, bias, options);
}

}  // namespace tsrun::model
