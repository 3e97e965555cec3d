#include "gradient_mask_tuning.h"

#include "salience.h"
#include "tsrun/tune/entry_masks.h"
#include "tsrun/tune/mask_record.h"

#include <ATen/core/Tensor.h>

namespace tsrun::gradient_mask {
namespace {

class ByEveryStep final : public RecordedSelector {
 public:
  explicit ByEveryStep(Options options) : options_(std::move(options)) {}

  std::optional<Scope> scope_after_backward(Step& step) override {
    if (step.number % options_.integer("every") != 0) return std::nullopt;
    auto parameters = masked_parameters(step.family, options_, "gradient_mask_tuning");
    const auto scores = step_salience(step, parameters, "gradient_mask_tuning");
    Scope scope = scope_of_scores(parameters, scores, options_);
    record_.add(step, scope);
    return scope;
  }

 private:
  Options options_;
};

}  // namespace

OptionTable GradientMaskTuning::options() const {
  OptionTable table = {
      {.name = "share",
       .type = OptionType::number,
       .fallback = 0.3,
       .doc = "updated share of the masked elements",
       .minimum = 0,
       .maximum = 1},
      granularity_option(),
      {.name = "every",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "steps until the mask is chosen again",
       .minimum = 1,
       .unit = "steps"},
  };
  return table.include(mask_options({"encoder", "decoder"}));
}

Wants GradientMaskTuning::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::unique_ptr<Selector> GradientMaskTuning::make(const MethodInputs& /*inputs*/, const Options& options) const {
  return std::make_unique<ByEveryStep>(options);
}

}  // namespace tsrun::gradient_mask
