#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/unread.h"

#include <algorithm>
#include <cmath>

namespace tsrun::randlora {
namespace {

const UpdateExchange exchange{.type = "RANDLORA",
                              .fields = {"r", "projection_prng_key", "sparse", "very_sparse", "randlora_dropout", "randlora_alpha", "bias"},
                              .endings = {".randlora_lambda"},
                              .shared = {"randlora_A", "randlora_B"}};

int64_t smaller_side(const LinearModule& module) { return std::min(module.inputs, module.outputs); }
int64_t larger_side(const LinearModule& module) { return std::max(module.inputs, module.outputs); }

class RandLora final : public WeightUpdate {
 public:
  RandLora(std::vector<Target> targets, const Options& options)
      : WeightUpdate("randlora", std::move(targets), Side::weight, {.inputs = options.number("randlora_dropout")}),
        rank_(options.integer("r")),
        scale_(options.number("randlora_alpha") / static_cast<double>(rank_)),
        sparse_(options.flag("sparse")),
        very_sparse_(options.flag("very_sparse")),
        key_(Key::root(static_cast<uint64_t>(options.integer("projection_prng_key"))).split("randlora")) {}

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets()) {
      tensors.push_back({module.name + ".randlora_lambda", {rank_, bases(smaller_side(module))}, module.layer});
      tensors.push_back({module.name + ".randlora_gamma", {bases(smaller_side(module)), smaller_side(module)}, module.layer});
    }
    return tensors;
  }

  at::Tensor initial(const DeltaTensor& tensor, const Weights& /*origin*/, Key /*key*/) const override {
    if (!tensor.name.ends_with("_gamma")) return {};
    return at::full(tensor.shape, 1 / static_cast<double>(std::max(tensor.shape[0], tensor.shape[1])));
  }

  /// One pair for all modules: A for the smaller side, B for the larger one, of the largest outputs and the largest inputs.
  std::vector<DeltaTensor> constants() const override {
    LinearModule widest;
    for (const auto& [pattern, module] : targets()) {
      widest.inputs = std::max(widest.inputs, module.inputs);
      widest.outputs = std::max(widest.outputs, module.outputs);
    }
    const int64_t smaller = smaller_side(widest);
    return {{"randlora_A", {rank_, 1, smaller}}, {"randlora_B", {larger_side(widest), bases(smaller), rank_}}};
  }

  Weights constant_values(const Weights& /*origin*/) const override {
    Weights values;
    const auto both = constants();
    const auto smaller = static_cast<double>(both.front().shape.back());
    const double sparsity = very_sparse_ ? std::sqrt(smaller) : 3;
    for (const DeltaTensor& constant : both) {
      at::Tensor drawn = values_by_law({constant.name, constant.shape, -1, DeltaTensor::Init::uniform, 1}, key_.split(constant.name));
      if (sparse_ || very_sparse_) drawn = (drawn > 1 - 1 / sparsity).to(at::kFloat) - (drawn < 1 / sparsity - 1).to(at::kFloat);
      values.set(constant.name, drawn / drawn.std());
    }
    return values;
  }

  /// The smaller basis, scaled, meets the smaller side. Its rows and B's columns are counted in different orders, as PEFT flattens them.
  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const LinearModule& module = target.module;
    const int64_t smaller = smaller_side(module), count = bases(smaller);
    const at::Tensor lambda = weights.at(module.name + ".randlora_lambda") * scale_;
    const at::Tensor a =
        (lambda.unsqueeze(2) * weights.at("randlora_A").slice(2, 0, smaller) * weights.at(module.name + ".randlora_gamma")).flatten(0, 1);
    const at::Tensor b = weights.at("randlora_B").slice(0, 0, larger_side(module)).slice(1, 0, count).flatten(1);
    if (smaller == module.inputs) return {a, b};
    return {b.t(), a.t()};
  }

 private:
  /// As many products of rank r as give ΔW its full rank.
  int64_t bases(int64_t smaller) const { return (smaller + rank_ - 1) / rank_; }

  int64_t rank_;
  double scale_;
  bool sparse_, very_sparse_;
  Key key_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Adapted linear layers", "randlora_only");
  return table.include({
      {.name = "r",
       .type = OptionType::integer,
       .fallback = 32,
       .doc = "Rank of each random product; the smaller it is, the more parameters are trained.",
       .minimum = 1,
       .maximum = 4096},
      {.name = "projection_prng_key", .type = OptionType::integer, .fallback = 0, .doc = "Seed of the random matrices.", .minimum = 0},
      {.name = "sparse",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "Random matrices of -1, 0 and 1, two thirds of them 0; not with very_sparse."},
      {.name = "very_sparse",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "The same with a share of 1 - 1/√width of zeros, where width is the smaller side of the widest layer."},
      {.name = "randlora_dropout",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Dropout of the input.",
       .minimum = 0,
       .maximum = 0.99},
      {.name = "randlora_alpha", .type = OptionType::number, .fallback = 640.0, .doc = "The update is scaled by this / r.", .minimum = 0},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  if (options.flag("very_sparse")) refuse_unread(options, this->options(), {"sparse"}, "randlora", "very_sparse gives the share of zeros");
  const std::vector<Target> targets = find_targets(family, options, "randlora");
  return with_other_parameters(std::make_unique<RandLora>(targets, options), family, options, targets, "randlora");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type({}, {"save_projection"}); }

/// PEFT reads `sparse` only without `very_sparse`.
nlohmann::json Method::options_from_peft(const nlohmann::ordered_json& config) const {
  nlohmann::json options = exchange.options_from_peft(config);
  if (options.value("very_sparse", nlohmann::json()) == true) options.erase("sparse");
  return options;
}

/// PEFT saves the shared projections once more for every module.
PeftTensor Method::tensor_from_peft(PeftTensor tensor, const Delta& /*delta*/, const Family& /*family*/) const {
  for (const char* shared : {"randlora_A", "randlora_B"})
    if (tensor.name.ends_with("." + std::string(shared))) tensor.name = shared;
  return tensor;
}

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  PeftFolder folder = exchange.to_peft(delta, options, model);
  folder.config["save_projection"] = true;
  return folder;
}

}  // namespace tsrun::randlora
