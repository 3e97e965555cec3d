#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun::vblora {
namespace {

const UpdateExchange exchange{
    .type = "VBLORA",
    .fields = {"r", "num_vectors", "vector_length", "topk", "vblora_dropout", "init_vector_bank_bound", "init_logits_std", "bias"},
    .endings = {".vblora_logits_A"},
    .shared = {"vblora_vector_bank"}};

const char* const bank_name = "vblora_vector_bank";

class VbLora final : public WeightUpdate {
 public:
  VbLora(std::vector<Target> targets, const Options& options)
      : WeightUpdate("vblora", std::move(targets), Side::activations, {.inputs = options.number("vblora_dropout")}),
        rank_(options.integer("r")),
        vectors_(options.integer("num_vectors")),
        length_(options.integer("vector_length")),
        top_(options.integer("topk")),
        bound_(options.number("init_vector_bank_bound")),
        deviation_(options.number("init_logits_std")) {
    if (top_ > vectors_) user_error("vblora: topk is {}, but there are num_vectors = {}", top_, vectors_);
    for (const auto& [pattern, module] : this->targets())
      if (module.inputs % length_ != 0 || module.outputs % length_ != 0)
        user_error("vblora: vector_length {} must divide both sides of {} [{}, {}]", length_, module.name, module.outputs, module.inputs);
  }

  std::vector<DeltaTensor> tensors() const override {
    using enum DeltaTensor::Init;
    std::vector<DeltaTensor> tensors = {{bank_name, {vectors_, length_}, -1, uniform, bound_}};
    for (const auto& [pattern, module] : targets()) {
      tensors.push_back({module.name + ".vblora_logits_A", {rank_, module.inputs / length_, vectors_}, module.layer, normal, deviation_});
      tensors.push_back({module.name + ".vblora_logits_B", {module.outputs / length_, rank_, vectors_}, module.layer, normal, deviation_});
    }
    return tensors;
  }

  bool starts_as_identity() const override { return false; }

  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const at::Tensor& bank = weights.at(bank_name);
    const at::Tensor a = mixtures(weights.at(target.module.name + ".vblora_logits_A"), bank);
    const at::Tensor b = mixtures(weights.at(target.module.name + ".vblora_logits_B"), bank);
    return {a.reshape({rank_, target.module.inputs}), b.transpose(1, 2).reshape({target.module.outputs, rank_})};
  }

 private:
  /// Of the bank's vectors those with the k largest logits, weighted by these logits' softmax.
  at::Tensor mixtures(const at::Tensor& logits, const at::Tensor& bank) const {
    const auto [largest, chosen] = logits.topk(top_);
    return (at::softmax(largest, -1).unsqueeze(-1) * at::embedding(bank, chosen)).sum(-2);
  }

  int64_t rank_, vectors_, length_, top_;
  double bound_, deviation_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Adapted linear layers", "vblora_only");
  return table.include({
      {.name = "r", .type = OptionType::integer, .fallback = 4, .doc = "Rank of the update.", .minimum = 1, .maximum = 4096},
      {.name = "num_vectors", .type = OptionType::integer, .fallback = 256, .doc = "Vectors in the bank.", .minimum = 1},
      {.name = "vector_length",
       .type = OptionType::integer,
       .fallback = 256,
       .doc = "Length of a vector; it divides the inputs and the outputs of every adapted layer.",
       .minimum = 1},
      {.name = "topk", .type = OptionType::integer, .fallback = 2, .doc = "Vectors in a mixture.", .minimum = 1},
      {.name = "vblora_dropout",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Dropout of A's input.",
       .minimum = 0,
       .maximum = 0.99},
      {.name = "init_vector_bank_bound",
       .type = OptionType::number,
       .fallback = 0.02,
       .doc = "The bank starts uniform between minus this and this.",
       .minimum = 0},
      {.name = "init_logits_std", .type = OptionType::number, .fallback = 0.1, .doc = "First deviation of the logits.", .minimum = 0},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const std::vector<Target> targets = find_targets(family, options, "vblora");
  return with_other_parameters(std::make_unique<VbLora>(targets, options), family, options, targets, "vblora");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type({"save_only_topk_weights"}); }

nlohmann::json Method::options_from_peft(const nlohmann::ordered_json& config) const { return exchange.options_from_peft(config); }

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  return exchange.to_peft(delta, options, model);
}

}  // namespace tsrun::vblora
