#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/entry_masks.h"
#include "tsrun/tune/mixed_weight.h"

namespace tsrun::mixout {
namespace {

class Mixing final : public Regularizer {
 public:
  Mixing(const MethodInputs& inputs, const Options& options, Draw draw)
      : origin_(inputs.origin),
        parameters_(masked_parameters(inputs.family, options, "mixout")),
        draw_(std::move(draw)),
        p_(options.number("p")),
        rescale_(options.flag("grad_rescale")),
        dropout_(options.flag("dropout")) {}

  /// Frozen parameters are their origin, which no mixture changes.
  void before_forward(Step& step, ForwardPass& pass) override {
    mixed_ = 0;
    for (const ParameterInfo& info : parameters_) {
      const at::Tensor& weight = pass.weights.at(info.name);
      if (!weight.requires_grad()) continue;
      pass.weights.set(info.name, mixed_weight(weight, origin_.at(info.name), draw_(info, step), p_, rescale_));
      ++mixed_;
    }
    if (mixed_ == 0 && step.number == 0) user_error("mixout: none of the {} parameters that it mixes is trained", parameters_.size());
    if (!dropout_) pass.options.training = false;
  }
  nlohmann::json report() const override { return {{"p", p_}, {"mixed_parameters", mixed_}}; }

 private:
  const Weights& origin_;
  std::vector<ParameterInfo> parameters_;
  Draw draw_;
  double p_;
  bool rescale_, dropout_;
  size_t mixed_ = 0;  ///< in the last pass
};

}  // namespace

std::unique_ptr<Regularizer> make_mixout(const MethodInputs& inputs, const Options& options, Draw draw) {
  return std::make_unique<Mixing>(inputs, options, std::move(draw));
}

OptionTable Method::options() const {
  OptionTable table = {
      {.name = "p",
       .type = OptionType::number,
       .fallback = 0.1,
       .doc = "probability with which a weight is replaced by its value before training",
       .minimum = 0,
       .maximum = 1},
      {.name = "noise",
       .type = OptionType::choice,
       .fallback = "column",
       .doc = "draws of a linear layer: one for each of its inputs, shared by all outputs, or one for each element",
       .choices = {"column", "element"}},
      {.name = "grad_rescale",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "multiply gradients by 1 / (1 - p), as the derivative of the mixture is; the authors' code does not"},
      {.name = "dropout",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "keep the model's own dropout, in whose place the authors put Mixout"},
  };
  return table.include(parameter_options({"encoder", "decoder", "pooler", "head"}, "mixed"));
}

Wants Method::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  const double p = options.number("p");
  const bool per_input = options.text("noise") == "column";
  return make_mixout(inputs, options, [p, per_input](const ParameterInfo& info, const Step& step) {
    return draw_kept(info, p, per_input, step.key.split(info.name));
  });
}

}  // namespace tsrun::mixout
