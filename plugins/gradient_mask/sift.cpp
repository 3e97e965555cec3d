#include "sift.h"

#include "salience.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"

#include <algorithm>

namespace tsrun::gradient_mask {
namespace {

Scope largest_gradients(const Family& family, const Options& options, const std::vector<ParameterInfo>& parameters,
                        const std::vector<at::Tensor>& scores) {
  Scope scope;
  scope.freeze = freeze_of(options);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const int64_t elements = scores[i].numel();
    const auto rounded_down = static_cast<int64_t>(options.number("sparse_rate") * static_cast<double>(elements));
    scope.parameters[parameters[i].name].mask = largest_elements(scores[i], std::min(rounded_down + 1, elements));
  }
  freeze_others(scope, family, options);
  return scope;
}

/// Everything that will get a mask, and the others as asked, before the masks are known.
Scope unmasked(const Family& family, const Options& options) {
  Scope scope;
  for (const ParameterInfo& info : masked_parameters(family, options, "sift")) scope.parameters[info.name].trained = true;
  freeze_others(scope, family, options);
  return scope;
}

class ByFirstStep final : public Selector {
 public:
  explicit ByFirstStep(Options options) : options_(std::move(options)) {}

  std::optional<Scope> scope(Step& step) override {
    return step.number == 0 ? std::optional(unmasked(step.family, options_)) : std::nullopt;
  }
  std::optional<Scope> scope_after_backward(Step& step) override {
    if (step.number != 0) return std::nullopt;
    auto parameters = masked_parameters(step.family, options_, "sift");
    const auto scores = step_salience(step, parameters, "sift");
    const Scope scope = largest_gradients(step.family, options_, parameters, scores);
    kept_share_ = kept_share(scope);
    return scope;
  }
  nlohmann::json report() const override { return {{"kept_share", kept_share_}}; }
  PluginState state() const override { return {{"kept_share", at::scalar_tensor(kept_share_, at::kDouble)}}; }
  void restore(const PluginState& state) override { kept_share_ = state.at("kept_share").item<double>(); }

 private:
  Options options_;
  double kept_share_ = 1;
};

}  // namespace

OptionTable Sift::options() const {
  OptionTable table = {
      {.name = "sparse_rate",
       .type = OptionType::number,
       .fallback = 0.008,
       .doc = "trained share of each tensor's elements",
       .minimum = 0,
       .maximum = 1},
      {.name = "rows",
       .type = OptionType::integer,
       .fallback = 32,
       .doc = "rows of the batch that a choice before any training looks at; a schedule looks at its first step",
       .minimum = 1},
      others_option("frozen"),
  };
  return table.include(mask_options({"encoder", "decoder"}, Freeze::state));
}

Wants Sift::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::optional<Choice> Sift::choose(const MethodInputs& inputs, const Options& options) const {
  const auto parameters = masked_parameters(inputs.family, options, name());
  const int64_t rows = options.integer("rows");
  const Calibration batch{drawn_rows(inputs, rows, name()), rows, true};
  const Scope scope = largest_gradients(inputs.family, options, parameters, salience(inputs, parameters, batch, "gradient"));
  return Choice{scope, mask_table(scope)};
}

std::unique_ptr<Selector> Sift::make(const MethodInputs& /*inputs*/, const Options& options) const {
  return std::make_unique<ByFirstStep>(options);
}

}  // namespace tsrun::gradient_mask
