#include "switched.h"

#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun::layer_schedules {

OptionTable switching_options(int64_t every, bool embeddings) {
  return {
      {.name = "every",
       .type = OptionType::integer,
       .fallback = every,
       .doc = "steps until other layers are trained",
       .minimum = 1,
       .unit = "steps"},
      {.name = "embeddings",
       .type = OptionType::boolean,
       .fallback = embeddings,
       .doc = "train the embeddings all the time; backward then runs through all layers"},
      {.name = "head", .type = OptionType::boolean, .fallback = true, .doc = "train pooler and head all the time"},
      {.name = "moments",
       .type = OptionType::choice,
       .fallback = "drop",
       .doc = "the optimiser's moments of a layer that is frozen: dropped, so that it begins anew when it comes back, or kept",
       .choices = {"drop", "keep"}},
  };
}

Switching switching_of(const Options& options) {
  return {options.integer("every"), options.flag("embeddings"), options.flag("head"),
          options.text("moments") == "drop" ? Moments::drop : Moments::keep};
}

std::optional<Scope> Switched::scope(Step& step) {
  if (step.number % switching_.every != 0) return std::nullopt;
  const std::set<int> layers = layers_of_(step.number / switching_.every);
  for (const int layer : layers) ++periods_of_.at(static_cast<size_t>(layer));
  Scope scope = scope_of_layers(step.family, layers, switching_.embeddings);
  scope.moments = switching_.moments;
  for (const ParameterInfo& info : step.family.parameters())
    if (!switching_.head && (info.part == Part::head || info.part == Part::pooler)) scope.parameters[info.name].trained = false;
  return scope;
}

PluginState Switched::state() const { return {{"periods_of_layer", at::tensor(periods_of_, at::kLong)}}; }

void Switched::restore(const PluginState& state) {
  const at::Tensor saved = state.at("periods_of_layer").cpu().contiguous();
  std::copy_n(saved.const_data_ptr<int64_t>(), periods_of_.size(), periods_of_.begin());
}

}  // namespace tsrun::layer_schedules
