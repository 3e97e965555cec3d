#include "method.h"

#include "tsrun/base/operators.h"

namespace tsrun::loha {
namespace {

class LoHa final : public WeightUpdate {
 public:
  LoHa(std::vector<Target> targets, const Family& family, const Options& options)
      : WeightUpdate("loha", std::move(targets), Side::weight, lycoris_dropout(options)),
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

Method::Method()
    : LycorisMethod({.type = "LOHA",
                     .fields = {"r", "alpha", "rank_dropout", "module_dropout"},
                     .endings = {".hada_w1_a"},
                     .patterns = {"rank_pattern", "alpha_pattern"},
                     .of_transposed = false},
                    Rescaling::always) {}

OptionTable Method::own_options() const {
  return {
      {.name = "init_weights",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "The last factor starts at zero; otherwise all are random, and the model starts changed."},
  };
}

std::unique_ptr<Delta> Method::update(std::vector<Target> targets, const Family& family, const Options& options) const {
  return std::make_unique<LoHa>(std::move(targets), family, options);
}

}  // namespace tsrun::loha
