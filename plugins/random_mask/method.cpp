#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"
#include "tsrun/tune/mask_record.h"

namespace tsrun::random_mask {
namespace {

/// Exactly ceil(share · N) elements: the largest of N uniform numbers, ties by index.
at::Tensor random_elements(const std::vector<int64_t>& shape, double share, Key key) {
  at::Tensor numbers = at::empty(shape, at::kFloat);
  fill_uniform(key, {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
  return largest_elements(numbers, share_of_elements(share, numbers.numel()));
}

Scope scope_under(const Family& family, const Options& options, Key key) {
  return scope_of_masks(masked_parameters(family, options, "random_mask"), freeze_of(options), [&](const ParameterInfo& info) {
    return random_elements(info.shape, options.number("share"), key.split(info.name));
  });
}

/// Mask number c is a function of the key and c, so a resumed training draws the same.
class Redrawn final : public RecordedSelector {
 public:
  Redrawn(const MethodInputs& inputs, Options options) : key_(inputs.key), options_(std::move(options)) {}

  std::optional<Scope> scope(Step& step) override {
    const int64_t every = options_.integer("every");
    const bool due = every == 0 ? step.number == 0 : step.number % every == 0;
    if (!due) return std::nullopt;
    Scope scope = scope_under(step.family, options_, key_.split(static_cast<uint64_t>(every == 0 ? 0 : step.number / every)));
    record_.add(step, scope);
    return scope;
  }

 private:
  Key key_;
  Options options_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = {
      {.name = "share",
       .type = OptionType::number,
       .fallback = 0.7,
       .doc = "trained share of each tensor's elements",
       .minimum = 0,
       .maximum = 1},
      {.name = "every",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "steps until the mask is drawn again (schedules only); 0: never",
       .minimum = 0,
       .unit = "steps"},
  };
  return table.include(mask_options({"encoder", "decoder"}));
}

Wants Method::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::optional<Choice> Method::choose(const MethodInputs& inputs, const Options& options) const {
  if (options.integer("every") != 0) user_error("random_mask: a mask that is chosen once is never redrawn; expected 'every' left out");
  const Scope scope = scope_under(inputs.family, options, inputs.key.split(uint64_t{0}));
  return Choice{scope, mask_table(scope)};
}

std::unique_ptr<Selector> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Redrawn>(inputs, options);
}

}  // namespace tsrun::random_mask
