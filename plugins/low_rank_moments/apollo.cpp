#include "apollo.h"

#include "moments.h"
#include "projection.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>

namespace tsrun::low_rank_moments {
namespace {

class Apollo final : public Regularizer {
 public:
  Apollo(const Options& options, Key key)
      : moments_(options),
        key_(key),
        rank_(options.integer("rank")),
        gap_(options.integer("update_proj_gap")),
        root_scale_(std::sqrt(options.number("scale"))),
        growth_(options.number("norm_growth")),
        type_(options.text("proj_type")),
        random_(options.text("proj") == "random"),
        by_channel_(options.text("scale_type") == "channel"),
        scale_front_(options.flag("scale_front")) {}

  void update(Step&, const std::vector<OwnedParameter>& parameters) override {
    const at::NoGradGuard no_grad;
    for (const OwnedParameter& parameter : parameters) {
      const Side side = side_of(type_, parameter.gradient);
      const at::Tensor low = projected(parameter.gradient, vectors(parameter, side), side);
      const Moments::Direction direction = moments_.take(parameter.name, low);
      at::Tensor scaled = parameter.gradient * factors(direction.value, low, side);
      if (scale_front_) scaled.mul_(root_scale_);
      scaled.mul_(limit(parameter.name, scaled));
      if (!scale_front_) scaled.mul_(root_scale_);
      parameter.value.mul_(1 - parameter.rate * parameter.decay).sub_(scaled, parameter.rate * direction.correction);
    }
  }

  nlohmann::json report() const override {
    return {{"matrices", moments_.count()},
            {"moment_bytes", moments_.bytes()},
            {"projection_bytes", bytes_of(kept_)},
            {"projections", moments_.renewals(gap_)}};
  }

  PluginState state() const override {
    PluginState state;
    moments_.add_to(state);
    for (const auto& [name, tensor] : kept_) state[name + ".vectors"] = tensor;
    for (const auto& [name, norm] : norms_) state[name + ".norm"] = at::scalar_tensor(norm, at::kDouble);
    return state;
  }
  void restore(const PluginState& state) override {
    moments_.restore(state);
    kept_ = ending_in(state, ".vectors");
    norms_.clear();
    for (const auto& [name, norm] : ending_in(state, ".norm")) norms_[name] = norm.item<double>();
  }

 private:
  /// Random ones are drawn again in every step, by the key of their period: they cost no memory.
  at::Tensor vectors(const OwnedParameter& parameter, Side side) {
    const int64_t done = moments_.steps(parameter.name);
    const at::Tensor& gradient = parameter.gradient;
    if (random_)
      return random_vectors(gradient.size(side == Side::left ? 0 : 1), rank_,
                            key_.split(parameter.name).split(static_cast<uint64_t>(done / gap_)), gradient.device());
    if (done % gap_ == 0) kept_[parameter.name] = leading_vectors(gradient, side, rank_);
    return kept_.at(parameter.name).to(gradient.device());
  }

  /// ‖Adam's direction‖ / ‖gradient‖ in the few dimensions: of each channel of the other side, or of the matrix.
  at::Tensor factors(const at::Tensor& direction, const at::Tensor& low, Side side) const {
    if (!by_channel_) return direction.norm() / (low.norm() + 1e-8);
    const int64_t few = side == Side::right ? 1 : 0;
    return direction.norm(2, {few}, /*keepdim=*/true) / (low.norm(2, {few}, /*keepdim=*/true) + 1e-8);
  }

  /// Fira's limiter: from step to step the update's length grows by the factor `growth_` at most.
  double limit(const std::string& name, const at::Tensor& scaled) {
    if (growth_ == 0) return 1;
    const auto norm = scaled.norm().item<double>();
    const auto [last, first] = norms_.emplace(name, norm);
    if (first) return 1;
    const double excess = std::max(norm / (last->second + 1e-8), growth_) / growth_;
    last->second = norm / excess;
    return 1 / excess;
  }

  Moments moments_;
  Key key_;
  int64_t rank_, gap_;
  double root_scale_, growth_;
  std::string type_;
  bool random_, by_channel_, scale_front_;
  std::map<std::string, at::Tensor> kept_;  ///< singular vectors, by parameter
  std::map<std::string, double> norms_;     ///< of the last scaled gradient
};

}  // namespace

OptionTable ApolloMethod::options() const {
  OptionTable table = shared_options(256, 1, {"std", "reverse_std", "left", "right"});
  table.include({
      {.name = "scale_type",
       .type = OptionType::choice,
       .fallback = "channel",
       .doc = "One factor for each channel, or one for the matrix (APOLLO-Mini, with rank = 1 and scale = 128).",
       .choices = {"channel", "tensor"}},
      {.name = "proj",
       .type = OptionType::choice,
       .fallback = "random",
       .doc = "Projection on random vectors, drawn again when needed, or on the gradient's leading singular vectors, which are kept.",
       .choices = {"random", "svd"}},
      {.name = "norm_growth",
       .type = OptionType::number,
       .fallback = 1.01,
       .doc = "Largest growth of the scaled gradient's length from step to step; 0: no limit.",
       .minimum = 0},
      {.name = "scale_front", .type = OptionType::boolean, .fallback = false, .doc = "Scale in front of that limit."},
  });
  return table;
}

std::unique_ptr<Regularizer> ApolloMethod::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Apollo>(options, inputs.key);
}

}  // namespace tsrun::low_rank_moments
