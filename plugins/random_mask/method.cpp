#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/linalg/ranking.h"
#include "tsrun/tune/parameter_set.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace tsrun::random_mask {
namespace {

/// Exactly ceil(share · N) elements: the largest of N uniform numbers, ties by index.
at::Tensor random_elements(const std::vector<int64_t>& shape, double share, Key key) {
  at::Tensor mask = at::zeros(shape, at::kBool);
  std::vector<float> numbers(static_cast<size_t>(mask.numel()));
  fill_uniform(key, numbers);
  bool* chosen = mask.mutable_data_ptr<bool>();
  const auto count = static_cast<int64_t>(std::ceil(share * static_cast<double>(numbers.size())));
  for (const int64_t position : top_k(numbers, count)) chosen[position] = true;
  return mask;
}

bool has_element_masks(const ParameterInfo& info, const Options& options) {
  const auto parts = options.texts("parts");
  const bool named = std::find(parts.begin(), parts.end(), name_of(info.part)) != parts.end();
  return named && (!options.flag("matrices_only") || info.kind == ParameterKind::weight || info.kind == ParameterKind::embedding);
}

Scope scope_under(const Family& family, const Options& options, Key key) {
  Scope scope;
  scope.freeze = options.text("freeze") == "gradient" ? Freeze::gradient
                 : options.text("freeze") == "update" ? Freeze::update
                                                      : Freeze::state;
  for (const ParameterInfo& info : family.parameters())
    if (has_element_masks(info, options))
      scope.parameters[info.name].mask = random_elements(info.shape, options.number("share"), key.split(info.name));
  if (scope.parameters.empty()) user_error("random_mask: the model has no parameters in {}", join_words(options.texts("parts")));
  return scope;
}

/// Mask number c is a function of the key and c, so a resumed training draws the same.
class Redrawn final : public Selector {
 public:
  Redrawn(const MethodInputs& inputs, Options options) : key_(inputs.key), options_(std::move(options)) {}

  std::optional<Scope> scope(Step& step) override {
    const int64_t every = options_.integer("every");
    const bool due = every == 0 ? step.number == 0 : step.number % every == 0;
    if (!due) return std::nullopt;
    ++draws_;
    return scope_under(step.family, options_, key_.split(static_cast<uint64_t>(every == 0 ? 0 : step.number / every)));
  }
  nlohmann::json report() const override { return {{"share", options_.number("share")}, {"draws", draws_}}; }
  PluginState state() const override { return {{"draws", at::full({1}, draws_, at::kLong)}}; }
  void restore(const PluginState& state) override { draws_ = state.at("draws").item<int64_t>(); }

 private:
  Key key_;
  Options options_;
  int64_t draws_ = 0;
};

}  // namespace

OptionTable Method::options() const {
  return {
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
      {.name = "parts",
       .type = OptionType::list,
       .fallback = nlohmann::json{"encoder", "decoder"},
       .doc = "masked parts of the model; others are trained whole"},
      {.name = "matrices_only", .type = OptionType::boolean, .fallback = true, .doc = "no masks on biases and norms"},
      {.name = "freeze",
       .type = OptionType::choice,
       .fallback = "gradient",
       .doc = "what masked elements do not receive: gradients (moments and decay still move them), updates, or updates and optimiser "
              "moments (state)",
       .choices = {"gradient", "update", "state"}},
  };
}

Wants Method::wants(const Options& options) const {
  const auto parts = options.texts("parts");
  return {.whole_vocabulary = std::find(parts.begin(), parts.end(), "embeddings") != parts.end()};
}

std::optional<Choice> Method::choose(const MethodInputs& inputs, const Options& options) const {
  if (options.integer("every") != 0) user_error("random_mask: a mask that is chosen once is never redrawn; expected 'every' left out");
  Choice choice{scope_under(inputs.family, options, inputs.key.split(uint64_t{0}))};
  for (const auto& [name, entry] : choice.scope.parameters)
    choice.table[name] = {{"elements", entry.mask.numel()}, {"trained", entry.mask.sum().item<int64_t>()}};
  return choice;
}

std::unique_ptr<Selector> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Redrawn>(inputs, options);
}

}  // namespace tsrun::random_mask
