#include "freezing.h"
#include "methods.h"
#include "tsrun/base/operators.h"

#include <cmath>
#include <numbers>

namespace tsrun::layer_schedules {
namespace {

/// Times and rates of the layers, by Brock et al. Layer i of n (the embeddings go with layer 0, pooler and head are i = n) is trained until
/// the share t_i of the training has passed.
class Freezing final : public Selector {
 public:
  Freezing(const Options& options, int layers)
      : layers_(layers),
        first_(options.number("t0")),
        power_(options.text("how") == "cubic"     ? 3
               : options.text("how") == "squared" ? 2
                                                  : 1),
        scales_(options.flag("scale_lr")),
        cosine_(options.text("anneal") == "cosine"),
        cache_(options.flag("cache_prefix")) {}

  std::optional<Scope> scope(Step& step) override {
    const double done = static_cast<double>(step.number) / static_cast<double>(step.planned);
    int frozen = 0;
    while (frozen < layers_ && done >= end_of(frozen)) ++frozen;
    if (!cosine_ && frozen == frozen_) return std::nullopt;
    frozen_ = frozen;
    Scope scope = scope_above(step.family, frozen, cache_);
    for (const ParameterInfo& info : step.family.parameters()) scope.parameters[info.name].rate = rate_of(place_of(info), done);
    return scope;
  }
  nlohmann::json report() const override {
    std::vector<double> ends;
    for (int layer = 0; layer < layers_; ++layer) ends.push_back(end_of(layer));
    return {{"ends", ends}, {"frozen_layers", frozen_}};
  }
  PluginState state() const override { return {{"frozen", at::full({1}, frozen_, at::kLong)}}; }
  void restore(const PluginState& state) override { frozen_ = static_cast<int>(state.at("frozen").item<int64_t>()); }

 private:
  int place_of(const ParameterInfo& info) const {
    if (info.part == Part::embeddings) return 0;
    return info.layer >= 0 ? info.layer : layers_;
  }
  double end_of(int place) const {
    return std::pow(first_ + (1 - first_) * static_cast<double>(place) / static_cast<double>(layers_), power_);
  }
  double rate_of(int place, double done) const {
    const double end = end_of(place);
    if (done >= end) return 0;
    const double annealed = cosine_ ? (1 + std::cos(std::numbers::pi * done / end)) / 2 : 1;
    return scales_ ? annealed / end : annealed;
  }

  int layers_;
  double first_;
  int power_;
  bool scales_, cosine_, cache_;
  int frozen_ = -1;
};

}  // namespace

OptionTable FreezeOut::options() const {
  OptionTable table = {
      {.name = "t0",
       .type = OptionType::number,
       .fallback = 0.8,
       .doc = "end of the first layer, as a share of the training before `how`",
       .minimum = 0.01,
       .maximum = 1},
      {.name = "how",
       .type = OptionType::choice,
       .fallback = "cubic",
       .doc = "ends from t0 to 1: evenly spaced, or these to the power of two or three",
       .choices = {"linear", "squared", "cubic"}},
      {.name = "scale_lr",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "a layer's rate is divided by its end, so that all rates sum to the same"},
      {.name = "anneal",
       .type = OptionType::choice,
       .fallback = "cosine",
       .doc =
           "a layer's rate until its end: a cosine to 0 (the training's own schedule multiplies it: lr_scheduler_type = \"constant\"), or "
           "the training's schedule alone",
       .choices = {"cosine", "runtime"}},
  };
  return table.include(cache_options());
}

std::unique_ptr<Selector> FreezeOut::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Freezing>(options, inputs.family.layers());
}

}  // namespace tsrun::layer_schedules
