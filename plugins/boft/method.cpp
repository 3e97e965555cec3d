#include "method.h"

#include "butterfly.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun::boft {
namespace {

const UpdateExchange exchange{.type = "BOFT",
                              .fields = {"boft_block_size", "boft_block_num", "boft_n_butterfly_factor", "boft_dropout", "bias"},
                              .endings = {".boft_R"},
                              .of_transposed = false};

class Boft final : public WeightUpdate {
 public:
  Boft(std::vector<Target> targets, std::vector<Butterfly> butterflies, double dropout)
      : WeightUpdate("boft", std::move(targets), Side::weight, {.own = dropout}), dropout_(dropout) {
    for (size_t i = 0; i < butterflies.size(); ++i) butterflies_.emplace(this->targets()[i].module.name, std::move(butterflies[i]));
  }

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets()) {
      const Butterfly& butterfly = butterflies_.at(module.name);
      tensors.push_back({module.name + ".boft_R", {butterfly.factors, butterfly.blocks, butterfly.size, butterfly.size}, module.layer});
      tensors.push_back({module.name + ".boft_s", {module.outputs, 1}, module.layer, DeltaTensor::Init::ones});
    }
    return tensors;
  }

  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    return {changed(target, weights, cayley(weights.at(target.module.name + ".boft_R")))};
  }

  /// One factor has a share of its blocks replaced by the identity.
  UpdateFactors training_factors(const Target& target, const Weights& weights, Key key) const override {
    const Butterfly& butterfly = butterflies_.at(target.module.name);
    const at::Tensor rotations = cayley(weights.at(target.module.name + ".boft_R"));
    at::Tensor kept = at::ones({butterfly.factors, butterfly.blocks, 1, 1});
    const at::Tensor factor = kept[static_cast<int64_t>(Stream(key.split("factor")).below(static_cast<uint64_t>(butterfly.factors)))];
    const auto order = permutation(key.split("blocks"), butterfly.blocks);
    const auto replaced = static_cast<int64_t>(dropout_ * static_cast<double>(butterfly.blocks));
    for (int64_t i = 0; i < replaced; ++i) factor[order[static_cast<size_t>(i)]].zero_();
    kept = kept.to(rotations.device());
    return {changed(target, weights, rotations * kept + at::eye(butterfly.size, rotations.options()) * (1 - kept))};
  }
  bool reads_weight() const override { return true; }

 private:
  /// s ⊙ (W B₁ᵀ B₂ᵀ ⋯) − W
  at::Tensor changed(const Target& target, const Weights& weights, const at::Tensor& rotations) const {
    const LinearModule& module = target.module;
    const at::Tensor stored = weights.at(module.weight), w = module.transposed ? stored.t() : stored;
    return butterflies_.at(module.name).turned(w, rotations) * weights.at(module.name + ".boft_s") - w;
  }

  std::map<std::string, Butterfly> butterflies_;  ///< by module
  double dropout_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Layers whose inputs are rotated", "boft_only");
  return table.include({
      {.name = "boft_block_size",
       .type = OptionType::integer,
       .fallback = 4,
       .doc = "Features a block; 0: by boft_block_num.",
       .minimum = 0,
       .maximum = 65536},
      {.name = "boft_block_num",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Blocks a factor; 0: by boft_block_size.",
       .minimum = 0,
       .maximum = 65536},
      {.name = "boft_n_butterfly_factor",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "Factors of each rotation; 1: blocks do not mix, as in OFT.",
       .minimum = 1,
       .maximum = 32},
      {.name = "boft_dropout",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Share of the blocks of one factor, drawn in each pass, that do not rotate.",
       .minimum = 0,
       .maximum = 0.99},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const std::vector<Target> targets = find_targets(family, options, "boft");
  std::vector<Butterfly> butterflies;
  for (const Target& target : targets)
    butterflies.push_back(Butterfly::of(target.module, options.integer("boft_block_size"), options.integer("boft_block_num"),
                                        options.integer("boft_n_butterfly_factor")));
  auto boft = std::make_unique<Boft>(targets, std::move(butterflies), options.number("boft_dropout"));
  return with_other_parameters(std::move(boft), family, options, targets, "boft");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type(); }

nlohmann::json Method::options_from_peft(const nlohmann::ordered_json& config) const { return exchange.options_from_peft(config); }

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  return exchange.to_peft(delta, options, model);
}

}  // namespace tsrun::boft
