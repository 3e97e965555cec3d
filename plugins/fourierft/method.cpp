#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <ATen/CPUGeneratorImpl.h>

#include <map>

namespace tsrun::fourierft {
namespace {

const UpdateExchange exchange{.type = "FOURIERFT",
                              .fields = {"n_frequency", "scaling", "random_loc_seed", "bias"},
                              .endings = {".fourierft_spectrum"},
                              .patterns = {"n_frequency_pattern"}};

/// Places of a module's coefficients. A real inverse transform reads the left half of a spectrum that is its own mirror image, so every
/// coefficient stands with half its value at its place and at the mirrored one, where these lie in that half.
struct Spectrum {
  int64_t outputs = 0, inputs = 0, count = 0;
  at::Tensor places, coefficients;  ///< flat positions in the half, and which coefficient stands there

  int64_t half() const { return inputs / 2 + 1; }
};

/// PEFT keeps no places, only the seed of PyTorch's generator, so they are drawn from it here too.
at::Tensor places_in_peft(int64_t numbers, int64_t count, uint64_t seed) {
  return at::randperm(numbers, at::detail::createCPUGenerator(seed)).narrow(0, 0, count).clone();
}

Spectrum spectrum_of(const LinearModule& module, int64_t count, uint64_t seed) {
  Spectrum spectrum{module.outputs, module.inputs, count, {}, {}};
  const at::Tensor flat = places_in_peft(module.outputs * module.inputs, count, seed);
  const at::Tensor row = at::floor_divide(flat, module.inputs), column = flat.remainder(module.inputs);
  const at::Tensor rows = at::cat({row, (module.outputs - row).remainder(module.outputs)});
  const at::Tensor columns = at::cat({column, (module.inputs - column).remainder(module.inputs)});
  const at::Tensor kept = at::nonzero(columns < spectrum.half()).squeeze(1);
  spectrum.places = (rows * spectrum.half() + columns).index_select(0, kept);
  spectrum.coefficients = at::arange(count, at::kLong).repeat({2}).index_select(0, kept);
  return spectrum;
}

/// The real part of the inverse transform of the coefficients at their places.
at::Tensor inverse_transform(const Spectrum& spectrum, const at::Tensor& coefficients) {
  const at::Tensor halved = coefficients.index_select(0, spectrum.coefficients.to(coefficients.device())) * 0.5;
  const at::Tensor half = at::zeros({spectrum.outputs * spectrum.half()}, coefficients.options())
                              .index_add(0, spectrum.places.to(coefficients.device()), halved)
                              .view({spectrum.outputs, spectrum.half()});
  return at::fft_irfft2(half, {{spectrum.outputs, spectrum.inputs}});
}

class FourierFt final : public WeightUpdate {
 public:
  FourierFt(std::vector<Target> targets, const Family& family, const Options& options)
      : WeightUpdate("fourierft", std::move(targets), Side::weight),
        scaling_(options.number("scaling")),
        zeros_(options.flag("init_weights")) {
    const auto seed = static_cast<uint64_t>(options.integer("random_loc_seed"));
    const auto counts = numbers_of(this->targets(), family, options, "n_frequency_pattern",
                                   static_cast<double>(options.integer("n_frequency")), "fourierft");
    for (const auto& [pattern, module] : this->targets()) {
      const auto count = static_cast<int64_t>(counts.at(module.name));
      if (count < 1 || count > module.outputs * module.inputs)
        user_error("fourierft: n_frequency is {} for {} [{}, {}], expected 1 to {}", counts.at(module.name), module.name, module.outputs,
                   module.inputs, module.outputs * module.inputs);
      spectra_.emplace(module.name, spectrum_of(module, count, seed));
    }
  }

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets())
      tensors.push_back({module.name + ".fourierft_spectrum",
                         {spectra_.at(module.name).count},
                         module.layer,
                         zeros_ ? DeltaTensor::Init::zeros : DeltaTensor::Init::normal,
                         1});
    return tensors;
  }

  bool starts_as_identity() const override { return zeros_; }

  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const Spectrum& spectrum = spectra_.at(target.module.name);
    return {inverse_transform(spectrum, weights.at(target.module.name + ".fourierft_spectrum")) * scaling_};
  }

 private:
  double scaling_;
  bool zeros_;
  std::map<std::string, Spectrum> spectra_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Adapted linear layers", "fourierft_only");
  return table.include({
      {.name = "n_frequency", .type = OptionType::integer, .fallback = 1000, .doc = "Trained coefficients of each layer.", .minimum = 1},
      {.name = "scaling", .type = OptionType::number, .fallback = 150.0, .doc = "Factor of the inverse transform."},
      {.name = "random_loc_seed", .type = OptionType::integer, .fallback = 777, .doc = "Seed of the coefficients' places.", .minimum = 0},
      {.name = "n_frequency_pattern",
       .type = OptionType::table,
       .fallback = nlohmann::json::object(),
       .doc = "Numbers of coefficients by module: regular expressions for its name or its end behind a dot; a table, or pairs in order.",
       .choices = {"list"}},
      {.name = "init_weights",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "Coefficients start at zero; otherwise they are standard normal, and the model starts changed."},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const std::vector<Target> targets = find_targets(family, options, "fourierft");
  return with_other_parameters(std::make_unique<FourierFt>(targets, family, options), family, options, targets, "fourierft");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type(); }

nlohmann::json Method::options_from_peft(const nlohmann::ordered_json& config) const { return exchange.options_from_peft(config); }

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  return exchange.to_peft(delta, options, model);
}

}  // namespace tsrun::fourierft
