#include "method.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <cmath>

namespace tsrun::vera {
namespace {

const UpdateExchange exchange{.type = "VERA",
                              .fields = {"r", "projection_prng_key", "vera_dropout", "d_initial", "bias"},
                              .endings = {".vera_lambda_b"},
                              .shared = {"vera_A", "vera_B"}};

class Vera final : public WeightUpdate {
 public:
  Vera(std::vector<Target> targets, const Options& options)
      : WeightUpdate("vera", std::move(targets), Side::activations, {.inputs = options.number("vera_dropout")}),
        rank_(options.integer("r")),
        d_(options.number("d_initial")),
        key_(Key::root(static_cast<uint64_t>(options.integer("projection_prng_key"))).split("vera")) {}

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : this->targets()) {
      tensors.push_back({module.name + ".vera_lambda_b", {module.outputs}, module.layer});
      tensors.push_back({module.name + ".vera_lambda_d", {rank_}, module.layer});
    }
    return tensors;
  }

  at::Tensor initial(const DeltaTensor& tensor, const Weights& /*origin*/, Key /*key*/) const override {
    return tensor.name.ends_with("_d") ? at::full(tensor.shape, d_) : at::Tensor();
  }

  /// Kaiming's uniform distribution with the gain √2, in PEFT's order of shapes.
  std::vector<DeltaTensor> constants() const override {
    int64_t inputs = 0, outputs = 0;
    for (const Target& target : targets()) {
      inputs = std::max(inputs, target.module.inputs);
      outputs = std::max(outputs, target.module.outputs);
    }
    using enum DeltaTensor::Init;
    return {{"vera_A", {rank_, inputs}, -1, uniform, std::sqrt(6.0 / static_cast<double>(inputs))},
            {"vera_B", {outputs, rank_}, -1, uniform, std::sqrt(6.0 / static_cast<double>(rank_))}};
  }

  Weights constant_values(const Weights& /*origin*/) const override {
    Weights values;
    for (const DeltaTensor& constant : constants()) values.set(constant.name, values_by_law(constant, key_.split(constant.name)));
    return values;
  }

  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const LinearModule& module = target.module;
    return {weights.at("vera_A").slice(1, 0, module.inputs), weights.at(module.name + ".vera_lambda_d"),
            weights.at("vera_B").slice(0, 0, module.outputs), weights.at(module.name + ".vera_lambda_b")};
  }

 private:
  int64_t rank_;
  double d_;
  Key key_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Adapted linear layers", "vera_only");
  return table.include({
      {.name = "r",
       .type = OptionType::integer,
       .fallback = 256,
       .doc = "Rows of the random matrix A; higher than ranks of LoRA usually are.",
       .minimum = 1,
       .maximum = 65536},
      {.name = "projection_prng_key", .type = OptionType::integer, .fallback = 0, .doc = "Seed of the random matrices.", .minimum = 0},
      {.name = "vera_dropout", .type = OptionType::number, .fallback = 0.0, .doc = "Dropout of A's input.", .minimum = 0, .maximum = 0.99},
      {.name = "d_initial", .type = OptionType::number, .fallback = 0.1, .doc = "First value of d's entries."},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const std::vector<Target> targets = find_targets(family, options, "vera");
  return with_other_parameters(std::make_unique<Vera>(targets, options), family, options, targets, "vera");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type({}, {"save_projection"}); }

nlohmann::json Method::options_from_peft(const nlohmann::ordered_json& config) const { return exchange.options_from_peft(config); }

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  PeftFolder folder = exchange.to_peft(delta, options, model);
  folder.config["save_projection"] = true;
  return folder;
}

}  // namespace tsrun::vera
