#include "experiment/initial_weights.h"
#include "experiment/parameters_option.h"
#include "experiment/stored.h"
#include "experiment/update_profile.h"

/// Operations that make masks: outliers of an update, and their controls.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

/// A training's update and initial weights, over some of its parameters.
struct Update {
  std::shared_ptr<const Family> family;
  ParameterSet set;
  at::Tensor origin, update;
};

/// θ0 of a training.
Weights start_of(Lab& lab, const TrainingRef& training) {
  if (training.edits_start()) return initial_task_model(lab, training.task, InitialWeights::of(training)).model.weights;
  return starting_weights(lab.plugins(), training.model, training.seed);
}

/// Over the selection.
Update update_over(Lab& lab, const TrainingRef& training, const json& selection) {
  Update result;
  result.family = family_of(lab.plugins(), training.model, {});
  result.set = select_parameters(*result.family, parse_selection(selection, "outliers: parameters"));
  const Weights origin = start_of(lab, training);
  result.origin = flatten(origin, result.set.layout);
  result.update = update_of(lab, training, result.set, *result.family, origin);
  return result;
}

struct MaskSummary {
  json description = {{"count", 0}, {"groups", json::array()}};  ///< of the mask
  std::optional<json> profile;                                   ///< `update_profile`

  json to_json() const {
    json summary = description;
    if (profile) summary["profile"] = *profile;
    return summary;
  }
};

struct OutliersRequest {
  TrainingRef solution;
  OutlierOptions rule;
  json parameters;

  StageKey key() const {
    return {"mask",
            {{"outliers", {{"solution", solution.identity()}, {"sigmas", rule.sigmas}, {"top", rule.top}, {"parameters", parameters}}}}};
  }
};

MaskSummary outliers_into(Lab& lab, const OutliersRequest& request, const std::filesystem::path& out) {
  const Update of = update_over(lab, request.solution, request.parameters);
  const Mask mask = find_outliers(of.update, of.origin, of.set, *of.family, request.rule);
  save_mask(mask, out);
  return {mask.description, update_profile(of.update, of.set)};
}

json run_outliers(Lab& lab, const Options& o) {
  const OutliersRequest request{
      TrainingRef::from_json(o.value("solution")), {.sigmas = o.number("sigmas"), .top = o.integer("top")}, o.value("parameters")};
  auto mask = ref_to<MaskRef>(lab.stage(request.key(), lab.title_of("outliers", request.solution.seed), MaskSummary().to_json(),
                                        [&](const auto& out, const auto&) { return outliers_into(lab, request, out).to_json(); }));
  mask.solution = request.solution;
  mask.parameters = request.parameters;
  return mask.to_json();
}

struct ControlRequest {
  std::string control;
  MaskRef like;
  int64_t seed = 1;

  StageKey key() const { return {"mask", {{"control", {{"control", control}, {"like", like.identity()}, {"seed", seed}}}}}; }
};

MaskSummary control_into(Lab& lab, const ControlRequest& request, const std::filesystem::path& out) {
  const Update of = update_over(lab, request.like.solution, request.like.parameters);
  const Mask mask = matched_mask(request.control, *mask_of(lab, request.like), of.update, of.origin, of.set, *of.family,
                                 Key::root(static_cast<uint64_t>(request.seed)).split("mask"));
  save_mask(mask, out);
  return {mask.description, {}};
}

json run_mask(Lab& lab, const Options& o) {
  const ControlRequest request{o.text("control"), MaskRef::from_json(o.value("like")), o.integer("seed")};
  auto mask = ref_to<MaskRef>(lab.stage(request.key(), lab.title_of("mask " + request.control, request.seed), MaskSummary().to_json(),
                                        [&](const auto& out, const auto&) { return control_into(lab, request, out).to_json(); }));
  mask.solution = request.like.solution;
  mask.parameters = request.like.parameters;
  return mask.to_json();
}

}  // namespace

}  // namespace experiment

std::vector<Operation> mask_operations() {
  return {
      {.name = "outliers",
       .doc = "Mask of a training's outliers: positions whose update lies beyond `sigmas` standard deviations from their group's mean.",
       .options =
           {{.name = "solution",
             .type = OptionType::artifact,
             .doc = "training within a subspace (or in full space)",
             .required = true,
             .choices = {"train"}},
            {.name = "sigmas", .type = OptionType::number, .fallback = 3.0, .doc = "threshold, in standard deviations", .minimum = 0},
            {.name = "top",
             .type = OptionType::integer,
             .fallback = 10,
             .doc = "number of the largest outliers listed for each group",
             .minimum = 0,
             .maximum = 10000},
            experiment::parameters_option()},
       .result = "mask",
       .run = experiment::run_outliers,
       .on_device = false,
       .named = true},
      {.name = "mask",
       .doc = "A control mask matched to another mask, group by group.",
       .options = {{.name = "control",
                    .type = OptionType::choice,
                    .doc = "rule that chooses the positions",
                    .required = true,
                    .choices = mask_controls()},
                   {.name = "like", .type = OptionType::artifact, .doc = "mask to match", .required = true, .choices = {"mask"}},
                   {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "of random controls", .minimum = 0}},
       .result = "mask",
       .run = experiment::run_mask,
       .on_device = false,
       .named = true},
  };
}

}  // namespace tsrun
