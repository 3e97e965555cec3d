#include "method.h"

#include <ATen/ATen.h>

namespace tsrun::loha {
namespace {

const UpdateExchange exchange{.type = "LOHA",
                              .fields = {"r", "alpha", "rank_dropout", "module_dropout"},
                              .endings = {".hada_w1_a"},
                              .patterns = {"rank_pattern", "alpha_pattern"},
                              .of_transposed = false};

class LoHa final : public WeightUpdate {
 public:
  LoHa(std::vector<Target> targets, const Family& family, const Options& options)
      : WeightUpdate("loha", std::move(targets), Side::weight,
                     {.rows = options.number("rank_dropout"), .modules = options.number("module_dropout")}),
        random_(!options.flag("init_weights")),
        ranks_(ranks_of(this->targets(), family, options, "loha")) {}

  std::vector<DeltaTensor> tensors() const override {
    using enum DeltaTensor::Init;
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets()) {
      const int64_t rank = ranks_.at(module.name).rank;
      const auto add = [&](const char* name, std::vector<int64_t> shape, bool drawn) {
        const double bound = linear_bound(shape[1]);
        tensors.push_back({module.name + name, std::move(shape), module.layer, drawn ? uniform : zeros, bound});
      };
      add(".hada_w1_a", {module.outputs, rank}, true);
      add(".hada_w1_b", {rank, module.inputs}, true);
      add(".hada_w2_a", {module.outputs, rank}, true);
      add(".hada_w2_b", {rank, module.inputs}, random_);
    }
    return tensors;
  }

  bool starts_as_identity() const override { return !random_; }

  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const auto product = [&](const char* a, const char* b) {
      return at::matmul(weights.at(target.module.name + a), weights.at(target.module.name + b));
    };
    return {product(".hada_w1_a", ".hada_w1_b") * product(".hada_w2_a", ".hada_w2_b") * ranks_.at(target.module.name).scale};
  }

 private:
  bool random_;
  std::map<std::string, RankAndScale> ranks_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Adapted linear layers");
  table.include(rank_options(8, 8));
  return table.include({
      {.name = "rank_dropout",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Share of the update's rows that a training pass leaves out; the others are scaled up.",
       .minimum = 0,
       .maximum = 0.99},
      {.name = "module_dropout",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Probability with which a training pass leaves out a layer's whole update.",
       .minimum = 0,
       .maximum = 0.99},
      {.name = "init_weights",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "The last factor starts at zero; otherwise all are random, and the model starts changed."},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const std::vector<Target> targets = find_targets(family, options, "loha");
  return with_other_parameters(std::make_unique<LoHa>(targets, family, options), family, options, targets, "loha");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type({}, {"use_effective_conv2d"}); }

nlohmann::json Method::options_from_peft(const nlohmann::ordered_json& config) const { return exchange.options_from_peft(config); }

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  return exchange.to_peft(delta, options, model);
}

}  // namespace tsrun::loha
