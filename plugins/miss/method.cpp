#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/unread.h"

namespace tsrun::miss {
namespace {

using nlohmann::json;

const UpdateExchange exchange{
    .type = "MISS", .fields = {"r", "miss_dropout", "mini_r", "init_weights", "bias"}, .endings = {".miss_block"}, .of_transposed = false};

enum class Variant { balance, mini, bat };

Variant variant_of(const Options& options) {
  const std::string name = options.text("init_weights");
  return name == "bat" ? Variant::bat : name == "mini" ? Variant::mini : Variant::balance;
}

class Miss final : public WeightUpdate {
 public:
  Miss(std::vector<Target> targets, const Options& options)
      : WeightUpdate("miss", std::move(targets), Side::weight, {.inputs = options.number("miss_dropout")}),
        rank_(options.integer("r")),
        mini_(options.integer("mini_r")),
        variant_(variant_of(options)) {}

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets()) {
      std::vector<int64_t> shape = {rank_, variant_ == Variant::mini ? mini_ : module.outputs};
      if (variant_ == Variant::bat) shape = {module.outputs / rank_, rank_, rank_};
      tensors.push_back({module.name + ".miss_block", shape, module.layer});
    }
    return tensors;
  }

  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const LinearModule& module = target.module;
    const at::Tensor block = weights.at(module.name + ".miss_block");
    if (variant_ == Variant::bat) return {of_blocks(module, weights.at(module.weight), block)};
    const at::Tensor shard = variant_ == Variant::mini ? block.repeat({1, module.outputs / mini_}) : block;
    return {shard.t().repeat({1, (module.inputs + rank_ - 1) / rank_}).slice(1, 0, module.inputs)};
  }
  bool reads_weight() const override { return variant_ == Variant::bat; }

 private:
  /// Of every r × r block of W, in the p-th row of blocks: block B_p + B_p.
  at::Tensor of_blocks(const LinearModule& module, const at::Tensor& stored, const at::Tensor& block) const {
    const at::Tensor w = module.transposed ? stored.t() : stored;
    const at::Tensor blocks = w.reshape({module.outputs / rank_, rank_, module.inputs / rank_, rank_}).permute({2, 0, 1, 3});
    return (at::matmul(blocks, block) + block).permute({1, 2, 0, 3}).reshape({module.outputs, module.inputs});
  }

  int64_t rank_, mini_;
  Variant variant_;
};

void check(const LinearModule& module, const Options& options) {
  const int64_t rank = options.integer("r"), mini = options.integer("mini_r");
  if (rank > module.inputs) user_error("miss: r is {}, but {} has {} inputs; expected at most that", rank, module.name, module.inputs);
  if (variant_of(options) == Variant::bat && (module.inputs % rank != 0 || module.outputs % rank != 0))
    user_error(
        "miss: init_weights = \"bat\" cuts weights into {} × {} blocks, but {} has {} inputs and {} outputs; expected r to divide both",
        rank, rank, module.name, module.inputs, module.outputs);
  if (variant_of(options) == Variant::mini && module.outputs % mini != 0)
    user_error("miss: mini_r is {}, but {} has {} outputs; expected a divisor of them", mini, module.name, module.outputs);
}

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Layers whose weights are changed", "MiSS_only");
  return table.include({
      {.name = "r", .type = OptionType::integer, .fallback = 64, .doc = "Columns of a shard.", .minimum = 1, .maximum = 65536},
      {.name = "miss_dropout",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Dropout of what enters the update; none with init_weights = \"bat\".",
       .minimum = 0,
       .maximum = 0.99},
      {.name = "mini_r",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "Rows of a shard with init_weights = \"mini\"; divides the outputs.",
       .minimum = 1,
       .maximum = 65536},
      {.name = "init_weights",
       .type = OptionType::choice,
       .fallback = "balance",
       .doc =
           "Variant: a shard [r, outputs] (balance), one [r, mini_r] that is repeated (mini), or W's own blocks times a shard (bat). All "
           "start at zero.",
       .choices = {"balance", "bat", "mini"}},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  if (variant_of(options) == Variant::bat && options.number("miss_dropout") > 0)
    user_error("miss: miss_dropout has no effect with init_weights = \"bat\", as in PEFT; expected 0");
  if (variant_of(options) != Variant::mini)
    refuse_unread(options, this->options(), {"mini_r"}, "miss", fmt::format("init_weights is '{}'", options.text("init_weights")));
  const std::vector<Target> targets = find_targets(family, options, "miss");
  for (const Target& target : targets) check(target.module, options);
  return with_other_parameters(std::make_unique<Miss>(targets, options), family, options, targets, "miss");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type(); }

/// PEFT says true for balance, and false for a random start of it. It builds a dropout for bat and leaves it out, and reads mini_r for
/// mini.
json Method::options_from_peft(const nlohmann::ordered_json& config) const {
  json options = exchange.options_from_peft(config);
  if (const auto variant = options.find("init_weights"); variant != options.end() && variant->is_boolean()) *variant = "balance";
  if (options.value("init_weights", json()) == "bat") options.erase("miss_dropout");
  if (options.value("init_weights", json()) != "mini") options.erase("mini_r");
  return options;
}

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  PeftFolder folder = exchange.to_peft(delta, options, model);
  if (options.text("init_weights") == "balance") folder.config["init_weights"] = true;
  return folder;
}

}  // namespace tsrun::miss
