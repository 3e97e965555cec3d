#include "galore.h"

#include "moments.h"
#include "projection.h"
#include "tsrun/base/operators.h"

#include <vector>

namespace tsrun::low_rank_moments {
namespace {

class Galore final : public Regularizer {
 public:
  explicit Galore(const Options& options)
      : moments_(options),
        rank_(options.integer("rank")),
        gap_(options.integer("update_proj_gap")),
        scale_(options.number("scale")),
        type_(options.text("proj_type")) {}

  void update(Step&, const std::vector<OwnedParameter>& parameters) override {
    const at::NoGradGuard no_grad;
    for (const OwnedParameter& parameter : parameters) {
      if (moments_.steps(parameter.name) % gap_ == 0) renew(parameter);
      at::Tensor low = parameter.gradient;
      for (const Side side : sides(low)) low = projected(low, vectors(parameter, side), side);
      const Moments::Direction direction = moments_.take(parameter.name, low);
      at::Tensor moved = direction.value;
      for (const Side side : sides(parameter.gradient)) moved = lifted(moved, vectors(parameter, side), side);
      parameter.value.mul_(1 - parameter.rate * parameter.decay).sub_(moved, parameter.rate * direction.correction * scale_);
    }
  }

  nlohmann::json report() const override {
    return {{"matrices", moments_.count()},
            {"moment_bytes", moments_.bytes()},
            {"projection_bytes", bytes_of(left_) + bytes_of(right_)},
            {"projections", moments_.renewals(gap_)}};
  }

  PluginState state() const override {
    PluginState state;
    moments_.add_to(state);
    for (const auto& [name, tensor] : left_) state[name + ".left"] = tensor;
    for (const auto& [name, tensor] : right_) state[name + ".right"] = tensor;
    return state;
  }
  void restore(const PluginState& state) override {
    moments_.restore(state);
    left_ = ending_in(state, ".left");
    right_ = ending_in(state, ".right");
  }

 private:
  std::vector<Side> sides(const at::Tensor& gradient) const {
    if (type_ == "full") return {Side::left, Side::right};
    return {side_of(type_, gradient)};
  }

  void renew(const OwnedParameter& parameter) {
    for (const Side side : sides(parameter.gradient))
      (side == Side::left ? left_ : right_)[parameter.name] = leading_vectors(parameter.gradient, side, rank_);
  }

  at::Tensor vectors(const OwnedParameter& parameter, Side side) const {
    return (side == Side::left ? left_ : right_).at(parameter.name).to(parameter.gradient.device());
  }

  Moments moments_;
  int64_t rank_, gap_;
  double scale_;
  std::string type_;
  std::map<std::string, at::Tensor> left_, right_;  ///< singular vectors as columns, by parameter
};

}  // namespace

OptionTable GaloreMethod::options() const { return shared_options(128, 0.25, {"std", "reverse_std", "left", "right", "full"}); }

std::unique_ptr<Regularizer> GaloreMethod::make(const MethodInputs& /*inputs*/, const Options& options) const {
  return std::make_unique<Galore>(options);
}

}  // namespace tsrun::low_rank_moments
