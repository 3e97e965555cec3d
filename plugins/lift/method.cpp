#include "method.h"

#include "low_rank.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"
#include "tsrun/tune/mask_record.h"

#include <algorithm>

namespace tsrun::lift {
namespace {

/// Number of trained entries of a weight.
int64_t count_of(const ParameterInfo& info, const Options& options) {
  const int64_t rows = info.shape[0], columns = info.shape[1];
  if (options.has("share")) return share_of_elements(options.number("share"), rows * columns);
  return std::min((rows + columns) * options.integer("lora_rank"), rows * columns);
}

at::Tensor principal_entries(const ParameterInfo& info, const at::Tensor& weight, const Options& options, Key key) {
  const int64_t rank = options.integer("filter_rank");
  const at::Tensor matrix = weight.detach();
  const at::Tensor approximation = options.text("svd") == "exact"
                                       ? low_rank(matrix, rank)
                                       : randomized_low_rank(matrix, rank, options.integer("iterations"), key.split(info.name));
  return largest_elements(approximation.abs(), count_of(info, options));
}

std::vector<ParameterInfo> linear_weights(const Family& family, const Options& options) {
  std::vector<ParameterInfo> weights = masked_parameters(family, options, "lift");
  std::erase_if(weights, [](const ParameterInfo& info) { return info.kind != ParameterKind::weight || info.shape.size() != 2; });
  if (weights.empty()) user_error("lift: none of the masked parameters is a weight of a linear layer");
  return weights;
}

Scope scope_under(const Family& family, const Weights& weights, const Options& options, Key key) {
  Scope scope = scope_of_masks(linear_weights(family, options), freeze_of(options),
                               [&](const ParameterInfo& info) { return principal_entries(info, weights.at(info.name), options, key); });
  scope.moments = Moments::carry;
  freeze_others(scope, family, options);
  return scope;
}

/// The reference chooses at the start, and behind steps i − 1, 2i − 1, … of an interval of i.
class Refreshed final : public RecordedSelector {
 public:
  Refreshed(Key key, Options options) : key_(key), options_(std::move(options)) {}

  std::optional<Scope> scope(Step& step) override {
    const int64_t interval = options_.integer("update_interval");
    if (step.number != 0 && (step.number + 1) % interval != 0) return std::nullopt;
    Scope scope = scope_under(step.family, step.weights, options_, key_.split(static_cast<uint64_t>(step.number)));
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
      {.name = "filter_rank", .type = OptionType::integer, .fallback = 128, .doc = "rank of the approximation", .minimum = 1},
      {.name = "lora_rank",
       .type = OptionType::integer,
       .fallback = 128,
       .doc = "as many trained entries of an m x n weight as LoRA of this rank has numbers: (m + n) x lora_rank",
       .minimum = 0},
      {.name = "share",
       .type = OptionType::number,
       .doc = "trained share of each weight, in place of lora_rank",
       .minimum = 0,
       .maximum = 1},
      {.name = "update_interval",
       .type = OptionType::integer,
       .fallback = 400,
       .doc = "steps until the entries are chosen again (schedules only)",
       .minimum = 1,
       .unit = "steps"},
      {.name = "svd",
       .type = OptionType::choice,
       .fallback = "exact",
       .doc = "approximation: exact, or by a random projection of twice the rank",
       .choices = {"exact", "randomized"}},
      {.name = "iterations", .type = OptionType::integer, .fallback = 2, .doc = "power iterations of svd = randomized", .minimum = 0},
      others_option("frozen"),
  };
  return table.include(mask_options({"encoder", "decoder"}, Freeze::state));
}

Wants Method::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::optional<Choice> Method::choose(const MethodInputs& inputs, const Options& options) const {
  const Scope scope = scope_under(inputs.family, inputs.origin, options, inputs.key.split(uint64_t{0}));
  return Choice{scope, mask_table(scope)};
}

std::unique_ptr<Selector> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Refreshed>(inputs.key, options);
}

}  // namespace tsrun::lift
