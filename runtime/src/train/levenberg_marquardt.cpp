#include "train/few_unknowns_parts.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/few_unknowns.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace tsrun {
namespace training {
namespace {

constexpr int kDampings = 10;
constexpr double kSolved = 1e-3;  // residual of conjugate gradients against the gradient

/// The loss's Hessian at some outputs, times directions [rows, outputs].
class OutputHessian {
 public:
  OutputHessian(LossAt& loss, const at::Tensor& outputs) : outputs_(outputs.detach().clone().set_requires_grad(true)) {
    const at::AutoGradMode grad(true);
    slope_ = torch::autograd::grad({loss.of_outputs(outputs_)}, {outputs_}, {}, /*retain_graph=*/true, /*create_graph=*/true)[0];
  }
  at::Tensor times(const at::Tensor& direction) const {
    const at::AutoGradMode grad(true);
    return torch::autograd::grad({(slope_ * direction).sum()}, {outputs_}, {}, /*retain_graph=*/true)[0];
  }

 private:
  at::Tensor outputs_, slope_;
};

/// A damped step, and what it promises.
struct DampedStep {
  at::Tensor way;
  double decrease = 0;  ///< of the quadratic model
};
/// Solves (G + μ I) d = −g.
using DampedSolve = std::function<DampedStep(double damping)>;

/// The model's decrease −gᵀd − dᵀGd/2, where `residual` is −g − (G + μ I) d.
double decrease_of(const at::Tensor& gradient, const at::Tensor& way, const at::Tensor& residual, double damping) {
  const double curvature = -inner_product(way, gradient) - inner_product(way, residual) - damping * inner_product(way, way);
  return -inner_product(gradient, way) - curvature / 2;
}

DampedSolve with_matrix(at::Tensor matrix, const at::Tensor& gradient) {
  return [matrix, gradient](double damping) {
    const at::Tensor damped = matrix + damping * at::eye(gradient.numel(), at::kDouble);
    const auto [factor, info] = at::linalg_cholesky_ex(damped);
    if (info.item<int64_t>() != 0) return DampedStep{at::zeros_like(gradient), 0};  // rounding has made it indefinite: damp more
    const at::Tensor way = -at::cholesky_solve(gradient.unsqueeze(1), factor).squeeze(1);
    return DampedStep{way, decrease_of(gradient, way, -gradient - damped.mv(way), damping)};
  };
}

/// Conjugate gradients from zero, at most `most` products.
DampedSolve with_products(const std::function<at::Tensor(const at::Tensor&)>& times, const at::Tensor& gradient, int64_t most) {
  return [times, gradient, most](double damping) {
    at::Tensor way = at::zeros_like(gradient), residual = -gradient, search = residual.clone();
    double size = inner_product(residual, residual);
    const double enough = kSolved * kSolved * size;
    for (int64_t i = 0; i < most && size > enough; ++i) {
      const at::Tensor product = times(search) + damping * search;
      const double curvature = inner_product(search, product);
      if (!(curvature > 0)) break;  // differences are not exact
      way = way + size / curvature * search;
      residual = residual - size / curvature * product;
      const double next = inner_product(residual, residual);
      search = residual + next / size * search;
      size = next;
    }
    return DampedStep{way, decrease_of(gradient, way, residual, damping)};
  };
}

class LevenbergMarquardt final : public FewUnknowns {
 public:
  explicit LevenbergMarquardt(const LevenbergMarquardtOptions& options) : options_(options), damping_(options.damping) {}

  Made step(LossAt& loss, at::Tensor& z, Key /*key*/) override {
    const auto start = loss.with_gradient(z);
    const Made made{start.value, length_of(start.gradient)};
    if (!std::isfinite(made.loss) || !(made.gradient_norm > 0)) return made;
    const DampedSolve solve = z.numel() <= options_.dense ? with_matrix(gauss_newton(loss, z), start.gradient)
                                                          : with_products(product(loss, z), start.gradient, options_.cg_iterations);
    double damping = damping_, growth = 2;
    for (int i = 0; i < kDampings; ++i) {
      const DampedStep step = solve(damping * made.gradient_norm);
      const double gain = step.decrease > 0 ? (start.value - loss.value(z + step.way)) / step.decrease : -1;
      if (gain > 0) {
        damping_ = damping * std::max(1.0 / 3, 1 - std::pow(2 * gain - 1, 3));
        z += step.way;
        return made;
      }
      damping *= growth;
      growth *= 2;
    }
    ++failed_;  // what ten dampings were multiplied by is of this batch, and later steps would not live to undo it
    return made;
  }

  std::optional<int64_t> failed_steps() const override { return failed_; }
  std::map<std::string, at::Tensor> state() const override {
    return {{"damping", single(damping_)}, {"failed", single(static_cast<double>(failed_))}};
  }
  void restore(const std::map<std::string, at::Tensor>& state) override {
    damping_ = saved_number(state, "damping");
    failed_ = static_cast<int64_t>(saved_number(state, "failed"));
  }

 private:
  /// Jᵀ H J, symmetric.
  at::Tensor gauss_newton(LossAt& loss, const at::Tensor& z) const {
    const bool exact = options_.jacobian == JacobianBy::backward;
    const at::Tensor jacobian = exact ? loss.jacobian(z) : jacobian_by_differences(loss, z, options_.difference);
    const at::Tensor outputs = loss.outputs(z);
    const OutputHessian hessian(loss, outputs);
    std::vector<at::Tensor> columns;
    for (int64_t i = 0; i < z.numel(); ++i) columns.push_back(hessian.times(jacobian.select(1, i).view(outputs.sizes())).flatten());
    const at::Tensor matrix = jacobian.t().mm(at::stack(columns, 1));
    return (matrix + matrix.t()) / 2;
  }

  /// v ↦ Jᵀ H J v: J v by a difference along v, Jᵀ by a backward pass.
  std::function<at::Tensor(const at::Tensor&)> product(LossAt& loss, const at::Tensor& z) const {
    const at::Tensor outputs = loss.outputs(z);
    const auto hessian = std::make_shared<OutputHessian>(loss, outputs);
    const double width = options_.difference;
    return [&loss, z, outputs, hessian, width](const at::Tensor& v) {
      const double length = length_of(v);
      const at::Tensor along = (loss.outputs(z + width / length * v) - outputs) * (length / width);
      return loss.pull_back(z, hessian->times(along));
    };
  }

  LevenbergMarquardtOptions options_;
  double damping_ = 1;
  int64_t failed_ = 0;
};

}  // namespace

}  // namespace training

std::unique_ptr<FewUnknowns> make_levenberg_marquardt(const LevenbergMarquardtOptions& options) {
  return std::make_unique<training::LevenbergMarquardt>(options);
}

}  // namespace tsrun
