#include "train/few_unknowns_parts.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/few_unknowns.h"

#include <cmath>

namespace tsrun {
namespace training {
namespace {

constexpr double kAccepted = 0.4, kShrink = 0.4, kLeastCurvature = 1e-20;
constexpr int kBacktracks = 20;

class PBfgs final : public FewUnknowns {
 public:
  Made step(LossAt& loss, at::Tensor& z, Key /*key*/) override {
    const auto start = loss.with_gradient(z);
    const Made made{start.value, length_of(start.gradient)};
    if (!std::isfinite(made.loss)) return made;
    learn(start.gradient);
    at::Tensor way = -inverse_.mv(start.gradient);
    double descent = inner_product(start.gradient, way);
    for (int tries = 0; tries < kBacktracks && !(loss.value(z + way) < start.value + kAccepted * descent); ++tries) {
      descent *= kShrink;
      way = kShrink * way;
    }
    z += way;
    gradient_ = start.gradient;
    way_ = way;
    return made;
  }

  std::map<std::string, at::Tensor> state() const override {
    if (!gradient_.defined()) return {};
    return {{"inverse", inverse_}, {"gradient", gradient_}, {"way", way_}};
  }
  void restore(const std::map<std::string, at::Tensor>& state) override {
    inverse_ = saved(state, "inverse");
    gradient_ = saved(state, "gradient");
    way_ = saved(state, "way");
  }

 private:
  /// BFGS's update of the inverse Hessian by the last step and the change of the gradient since, over two batches.
  void learn(const at::Tensor& gradient) {
    const at::Tensor identity = at::eye(gradient.numel(), at::kDouble);
    if (!gradient_.defined()) {
      inverse_ = identity;
      return;
    }
    const at::Tensor change = gradient - gradient_;
    const double curvature = inner_product(change, way_);
    if (!(curvature > kLeastCurvature)) return;
    const at::Tensor left = identity - at::outer(change, way_) / curvature;
    inverse_ = left.t().mm(inverse_).mm(left) + at::outer(way_, way_) / curvature;
  }

  at::Tensor inverse_, gradient_, way_;  ///< undefined before the first step
};

}  // namespace

}  // namespace training

std::unique_ptr<FewUnknowns> make_p_bfgs() { return std::make_unique<training::PBfgs>(); }

}  // namespace tsrun
