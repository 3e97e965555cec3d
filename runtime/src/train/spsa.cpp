#include "train/few_unknowns_parts.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/few_unknowns.h"

#include <cmath>

namespace tsrun {
namespace training {
namespace {

/// Entries of ±1.
at::Tensor rademacher(Key key, int64_t n) {
  Stream draw(key);
  at::Tensor signs = at::empty({n}, at::kDouble);
  double* out = signs.mutable_data_ptr<double>();
  for (int64_t i = 0; i < n; ++i) out[i] = draw.below(2) == 0 ? -1 : 1;
  return signs;
}

class Spsa final : public FewUnknowns {
 public:
  explicit Spsa(const SpsaOptions& options) : options_(options) {}

  Made step(LossAt& loss, at::Tensor& z, Key key) override {
    const double k = steps_ + 1;
    const double rate = options_.a / std::pow(k + options_.stability, 0.602), width = options_.c / std::pow(k, 0.101);
    const at::Tensor direction = rademacher(key, z.numel());
    const double above = loss.value(z + width * direction), below = loss.value(z - width * direction);
    const Made made{(above + below) / 2, 0};
    if (!std::isfinite(made.loss)) return made;
    z -= rate * (above - below) / (2 * width) * direction;  // 1/±1 is ±1
    ++steps_;
    return made;
  }

  std::map<std::string, at::Tensor> state() const override { return {{"steps", single(steps_)}}; }
  void restore(const std::map<std::string, at::Tensor>& state) override { steps_ = saved_number(state, "steps"); }

 private:
  SpsaOptions options_;
  double steps_ = 0;
};

}  // namespace

}  // namespace training

std::unique_ptr<FewUnknowns> make_spsa(const SpsaOptions& options) { return std::make_unique<training::Spsa>(options); }

}  // namespace tsrun
