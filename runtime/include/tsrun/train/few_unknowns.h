#pragma once

#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

/// Optimisers for at most some hundred unknowns, which ask for the loss at coordinates of their own choice. Vectors are float64 on the
/// host.
namespace tsrun {

/// Largest number of coordinates for methods that keep an n × n matrix, or that say little in more dimensions.
inline constexpr int64_t kFewUnknowns = 512;

/// The loss of one step as a function of coordinates z [n]: the same rows and the same dropout masks in every call.
class LossAt {
 public:
  virtual ~LossAt() = default;
  virtual double value(const at::Tensor& z) = 0;  ///< one forward pass
  struct WithGradient {
    double value = 0;
    at::Tensor gradient;  ///< [n]
  };
  virtual WithGradient with_gradient(const at::Tensor& z) = 0;  ///< one forward and one backward pass

  /// The outputs y(z) of the rows, [rows, outputs]; one forward pass.
  virtual at::Tensor outputs(const at::Tensor& z) = 0;
  /// The loss as a function of y alone: a scalar that autograd differentiates twice. No pass.
  virtual at::Tensor of_outputs(const at::Tensor& y) = 0;
  /// Derivatives of all outputs, [rows · outputs, n]; one forward pass, and a backward pass for every output.
  virtual at::Tensor jacobian(const at::Tensor& z) = 0;
  /// The transposed Jacobian times `u` [rows, outputs]: [n]; one forward and one backward pass.
  virtual at::Tensor pull_back(const at::Tensor& z, const at::Tensor& u) = 0;
};

/// Forward differences of width `width` in place of `LossAt::jacobian`: n + 1 forward passes.
at::Tensor jacobian_by_differences(LossAt& loss, const at::Tensor& z, double width);

/// Moves few unknowns, one step a batch. Whatever it keeps between steps is its state: float64 tensors by name.
class FewUnknowns {
 public:
  virtual ~FewUnknowns() = default;
  struct Made {
    double loss = 0;           ///< at the z that the step began with; of methods that never ask there, as their maker says
    double gradient_norm = 0;  ///< there; 0 without gradients
  };
  /// Moves `z` in place. A loss that is not finite where the step begins is returned, and z stays. Random numbers come from `key`, the
  /// step's own.
  virtual Made step(LossAt& loss, at::Tensor& z, Key key) = 0;
  /// Steps so far in which nothing that was tried lowered the loss, so that z stayed; of methods that count them.
  virtual std::optional<int64_t> failed_steps() const { return std::nullopt; }
  virtual std::map<std::string, at::Tensor> state() const = 0;
  virtual void restore(const std::map<std::string, at::Tensor>& state) = 0;
};

struct LbfgsOptions {
  int64_t history = 10;  ///< pairs of steps and gradient changes
};
/// L-BFGS (Nocedal and Wright 2006, algorithm 7.4) with a line search for the weak Wolfe conditions (Lewis and Overton 2013, algorithm
/// 2.6). A pair is of one batch: both gradients are taken on it. At least two forward and two backward passes a step.
std::unique_ptr<FewUnknowns> make_lbfgs(const LbfgsOptions& options);

/// P-BFGS of DLDR (Li et al., TPAMI 2022) as released: full BFGS whose gradient changes are between batches; backtracking accepts when
/// f_new < f + 0.4 gᵀs, shrinks by 0.4, and after 20 tries takes what is left of the step; curvature below 1e-20 is skipped. The release
/// may move weights outside the subspace too (`alpha`, 0 by default); that is not here, for z would no longer describe the weights.
std::unique_ptr<FewUnknowns> make_p_bfgs();

enum class JacobianBy { backward, differences };
struct LevenbergMarquardtOptions {
  double damping = 1;  ///< initial λ: a step is at most 1/λ long
  JacobianBy jacobian = JacobianBy::backward;
  double difference = 1e-3;      ///< width of finite differences
  int64_t cg_iterations = 20;    ///< products with the matrix for one step, at most
  int64_t dense = kFewUnknowns;  ///< unknowns up to which the matrix is made; beyond, products alone
};
/// Levenberg-Marquardt on the generalised Gauss-Newton matrix G = Jᵀ H J, H the loss's Hessian in the outputs (Schraudolph 2002): plain
/// Gauss-Newton for squared errors. Solves (G + λ‖g‖ I) d = −g, which keeps quadratic convergence where residuals vanish (Fan and Yuan
/// 2005); λ follows the gain ratio (Nielsen 1999). At most 10 tries a step; when all fail, z and λ stay what they were.
std::unique_ptr<FewUnknowns> make_levenberg_marquardt(const LevenbergMarquardtOptions& options);

struct CmaEsOptions {
  int64_t population = 0;  ///< 0: 4 + ⌊3 ln n⌋
  double sigma = 0.1;      ///< initial deviation of a coordinate
};
/// CMA-ES (Hansen, arXiv 1604.00772): weighted recombination of the better half, rank-one and rank-μ updates of a full covariance,
/// cumulative step-size adaptation; no negative weights. A step is a generation, z its mean; the loss told is the weighted mean of the
/// better half. Forward passes alone.
std::unique_ptr<FewUnknowns> make_cma_es(const CmaEsOptions& options);

struct SpsaOptions {
  double a = 0.1, c = 0.1;  ///< step k moves by a/(k+1+A)^0.602 and looks c/(k+1)^0.101 to both sides
  double stability = 10;    ///< A
};
/// SPSA (Spall 1992; gains as Spall 1998 recommends) with directions of ±1; the loss told is the mean of its two evaluations. Two forward
/// passes a step.
std::unique_ptr<FewUnknowns> make_spsa(const SpsaOptions& options);

}  // namespace tsrun
