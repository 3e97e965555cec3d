#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"

#include <algorithm>

namespace tsrun::lora_xs {
namespace {

class LoraXs final : public WeightUpdate {
 public:
  LoraXs(std::vector<Target> targets, const Options& options)
      : WeightUpdate("lora_xs", std::move(targets), Side::activations, {.inputs = options.number("dropout")}),
        rank_(options.integer("r")),
        scale_(options.number("alpha") / static_cast<double>(rank_)),
        deviation_(options.number("init_deviation")) {
    for (const auto& [pattern, module] : this->targets())
      if (const int64_t most = std::min(module.inputs, module.outputs); rank_ > most)
        user_error("lora_xs: r is {} for {} [{}, {}], expected 1 to {}", rank_, module.name, module.outputs, module.inputs, most);
  }

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets())
      tensors.push_back({module.name + ".lora_xs_R", {rank_, rank_}, module.layer, DeltaTensor::Init::normal, deviation_});
    return tensors;
  }

  bool starts_as_identity() const override { return deviation_ == 0; }

  std::vector<DeltaTensor> constants() const override {
    std::vector<DeltaTensor> constants;
    for (const auto& [pattern, module] : targets()) {
      constants.push_back({module.name + ".lora_xs_A", {rank_, module.inputs}, module.layer});
      constants.push_back({module.name + ".lora_xs_B", {module.outputs, rank_}, module.layer});
    }
    return constants;
  }

  Weights constant_values(const Weights& origin) const override {
    Weights values;
    for (const Target& target : targets()) {
      const PrincipalPart part = principal_part(target, origin, rank_);
      values.set(target.module.name + ".lora_xs_A", part.s.unsqueeze(1) * part.v);
      values.set(target.module.name + ".lora_xs_B", part.u);
    }
    return values;
  }

  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const std::string& name = target.module.name;
    return {weights.at(name + ".lora_xs_A"), weights.at(name + ".lora_xs_R") * scale_, weights.at(name + ".lora_xs_B")};
  }

 private:
  int64_t rank_;
  double scale_, deviation_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Adapted linear layers");
  return table.include({
      {.name = "r", .type = OptionType::integer, .fallback = 16, .doc = "Singular values of each weight.", .minimum = 1, .maximum = 4096},
      {.name = "alpha", .type = OptionType::number, .fallback = 16.0, .doc = "The update is scaled by alpha / r.", .minimum = 0},
      {.name = "dropout", .type = OptionType::number, .fallback = 0.0, .doc = "Dropout of the input.", .minimum = 0, .maximum = 0.99},
      {.name = "init_deviation", .type = OptionType::number, .fallback = 1e-5, .doc = "First deviation of R's entries.", .minimum = 0},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const std::vector<Target> targets = find_targets(family, options, "lora_xs");
  return with_other_parameters(std::make_unique<LoraXs>(targets, options), family, options, targets, "lora_xs");
}

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  PeftFolder folder = peft_folder("LORA", delta, model, {".lora_xs_R"});
  std::erase_if(folder.tensors, [](const PeftTensor& tensor) { return tensor.name.find(".lora_xs_") != std::string::npos; });
  for (const std::string& module : folder.adapted) {
    const auto value = [&](const char* part) { return model.weights.at(module + part).detach(); };
    folder.tensors.push_back({"base_model.model." + module + ".lora_A.weight", value(".lora_xs_A")});
    folder.tensors.push_back({"base_model.model." + module + ".lora_B.weight", at::matmul(value(".lora_xs_B"), value(".lora_xs_R"))});
  }
  folder.config.update({{"r", options.integer("r")},
                        {"lora_alpha", options.number("alpha")},
                        {"lora_dropout", options.number("dropout")},
                        {"bias", "none"}});
  return folder;
}

}  // namespace tsrun::lora_xs
