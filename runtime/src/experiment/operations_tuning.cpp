#include "experiment/export.h"
#include "experiment/export_solution.h"
#include "experiment/handles.h"
#include "experiment/profile.h"
#include "experiment/start.h"
#include "experiment/taken_options.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/suggest.h"
#include "tsrun/checkpoint/folder.h"

#include <ATen/Functions.h>

#include <algorithm>

/// Operations on trajectories, subspaces and masks.
namespace tsrun {

namespace {

using nlohmann::json;

const Option kParameters = {
    .name = "parameters",
    .type = OptionType::table,
    .fallback = json{{"parts", json::array({"encoder", "decoder"})}},
    .doc = "which parameters and how they are grouped: {parts, layers, patterns, groups = \"layer\" | \"tensor\" | \"whole\"}"};

// --- trajectory from somebody's checkpoints ---------------------------------------------------------------------------------------

OptionTable trajectory_options() {
  return {
      {.name = "origin", .type = OptionType::text, .doc = "Hugging Face folder of the model before training", .required = true},
      {.name = "checkpoints",
       .type = OptionType::list,
       .doc = "Hugging Face folders or safetensors files, in the order of training",
       .required = true},
      kParameters,
      {.name = "precision",
       .type = OptionType::choice,
       .fallback = "float32",
       .doc = "of the rows on disk",
       .choices = {"float32", "bfloat16"}},
  };
}

std::string digest_of(const std::filesystem::path& checkpoint) {
  return std::filesystem::is_directory(checkpoint) ? CheckpointFolder::open(checkpoint).digest() : sha256_file(checkpoint);
}

json run_trajectory(Lab& lab, const Options& o) {
  const auto folder = resolve_model_folder(o.text("origin"));
  const auto family =
      std::shared_ptr<const Family>(make_family(CheckpointFolder::open(folder).config(), HeadSpec{}, (folder / "config.json").string()));
  const auto set = select_parameters(*family, parse_selection(o.value("parameters"), "trajectory: parameters"));
  const auto checkpoints = o.texts("checkpoints");
  if (checkpoints.empty()) user_error("trajectory: option 'checkpoints' is empty, expected at least one folder or file");
  json inputs = {{"origin", digest_of(folder)}, {"parameters", o.value("parameters")}, {"precision", o.text("precision")}};
  for (const auto& checkpoint : checkpoints) inputs["checkpoints"].push_back(digest_of(checkpoint));
  const StageKey key{"trajectory", {{"options", inputs}}};
  return lab.stage(key, lab.title_of(fmt::format("trajectory of {} checkpoints", checkpoints.size())), json{{"points", checkpoints.size()}},
                   [&](const auto& out, const auto&) {
                     const auto type = o.text("precision") == "bfloat16" ? RowType::bfloat16 : RowType::float32;
                     TrajectoryWriter writer(out, set.layout, flatten(load_weights(folder, *family), set.layout), type);
                     int64_t index = 0;
                     for (const auto& checkpoint : checkpoints) {
                       ++index;
                       writer.append({.step = index, .epoch = static_cast<double>(index)},
                                     flatten(load_weights(checkpoint, *family), set.layout));
                     }
                     return json{{"points", writer.size()}};
                   });
}

// --- subspaces --------------------------------------------------------------------------------------------------------------------

OptionTable discovery_options() {
  return {
      {.name = "method", .type = OptionType::text, .doc = "name of a subspace plugin", .required = true},
      {.name = "trajectory",
       .type = OptionType::artifact,
       .doc = "recorded by a training or made by ts.trajectory",
       .choices = {"trajectory"}},
      {.name = "model",
       .type = OptionType::artifact,
       .doc = "whose parameters the basis spans; absent: the trajectory's",
       .choices = {"model"}},
      {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "of methods that draw random numbers", .minimum = 0},
      kParameters,
  };
}

/// Groups of the selection over the trajectory's own layout, which must be the selection's.
ParameterSet parameters_of(const Family& family, const json& selection, const Trajectory* trajectory) {
  ParameterSet set = select_parameters(family, parse_selection(selection, "discover: parameters"));
  if (trajectory == nullptr) return set;
  if (const auto difference = first_difference(set.layout, trajectory->layout()))
    user_error("discover: the trajectory was recorded over other parameters: {}", *difference);
  return set;
}

at::Tensor origin_of(const Trajectory& trajectory) {
  const auto origin = trajectory.origin();
  at::Tensor copy = at::empty({static_cast<int64_t>(origin.size())});
  std::copy(origin.begin(), origin.end(), copy.mutable_data_ptr<float>());
  return copy;
}

/// Of a model without a head; of one with deltas their first values too.
Weights starting_weights(Lab& lab, const json& handle, int64_t seed) {
  Model model = model_of(handle, {}, Key::root(0));
  attach_deltas(lab.plugins(), handle, model, Key::root(static_cast<uint64_t>(seed)).split("init").split("delta"));
  return model.weights;
}

json run_discover(Lab& lab, const Options& o) {
  const SubspaceMethod& method = lab.plugins().subspace(o.text("method"));
  if (method.needs_trajectory() && !o.has("trajectory")) user_error("discover: method '{}' needs option 'trajectory'", method.name());
  json model = o.value("model");
  if (model.is_null() && o.has("trajectory")) model = o.value("trajectory").value("model", json());
  if (model.is_null()) user_error("discover: option 'model' is missing: give a model, or a trajectory that knows its own");
  const Options own = taken_options(method.options(), o);
  const json inputs = {{"method", method.name()},
                       {"version", method.version()},
                       {"options", own.json()},
                       {"trajectory", identity(o.value("trajectory"))},
                       {"model", identity(model)},
                       {"seed", o.integer("seed")},
                       {"parameters", o.value("parameters")}};
  const StageKey key{"subspace", {{"inputs", inputs}}};
  json handle = lab.stage(key, lab.title_of("discover " + method.name(), o.integer("seed")), json{{"dim", 0}, {"groups", json::array()}},
                          [&](const auto& out, const auto& work) {
                            const auto family = family_of(lab.plugins(), model, {});
                            std::optional<Trajectory> trajectory;
                            if (o.has("trajectory")) trajectory = trajectory_of(lab, o.value("trajectory"));
                            SubspaceInputs to;
                            to.parameters = parameters_of(*family, o.value("parameters"), trajectory ? &*trajectory : nullptr);
                            to.trajectory = trajectory ? &*trajectory : nullptr;
                            const Weights weights = trajectory ? Weights{} : starting_weights(lab, model, o.integer("seed"));
                            to.origin = trajectory ? origin_of(*trajectory) : flatten(weights, to.parameters.layout);
                            to.key = Key::root(static_cast<uint64_t>(o.integer("seed"))).split("projection");
                            to.scratch = work;
                            const auto subspace = method.discover(to, own);
                            save_subspace(*subspace, method, own, out);
                            json summary = described(*subspace);
                            summary["dim"] = subspace->dim();
                            summary["dims"] = subspace->dims();
                            summary["bytes"] = subspace->bytes_shipped();
                            return summary;
                          });
  handle["method"] = method.name();
  handle["model"] = model;
  return handle;
}

OptionTable plugin_options(Lab& lab, const json& arguments) {
  const auto method = arguments.find("method");
  if (method == arguments.end() || !method->is_string()) return {};
  return lab.plugins().subspace(method->get<std::string>()).options();
}

json run_export(Lab& lab, const Options& o) {
  const std::filesystem::path to = o.text("path");
  if (o.has("basis") == o.has("solution")) user_error("export: give either 'basis' or 'solution'");
  if (o.has("solution")) return export_solution(lab, o.value("solution"), o.text("form"), to);
  const json result = {{"path", to.string()}};
  if (lab.settings().plan_only) return result;
  const auto basis = subspace_of(lab, o.value("basis"));
  export_subspace(*basis, to);
  return result;
}

// --- masks ------------------------------------------------------------------------------------------------------------------------

struct Solution {
  std::shared_ptr<const Family> family;
  ParameterSet set;
  at::Tensor origin, update;
};

/// θ0 of a training: of its model, or of what else it began with.
Weights start_of(Lab& lab, const json& handle) {
  if (handle.contains("start")) return starting_setting(lab, handle.at("task"), Start::of(handle)).model.weights;
  return starting_weights(lab, handle.at("model"), handle.at("seed").get<int64_t>());
}

/// The update of a training and what it started from, over the selection (a subspace's own groups when it has one).
Solution solution_of(Lab& lab, const json& handle, const json& selection) {
  Solution result;
  const json& model = handle.at("model");
  result.family = family_of(lab.plugins(), model, {});
  result.set = select_parameters(*result.family, parse_selection(selection, "outliers: parameters"));
  const Weights origin = start_of(lab, handle);
  result.origin = flatten(origin, result.set.layout);
  result.update = update_of(lab, handle, result.set, *result.family, origin);
  return result;
}

json run_outliers(Lab& lab, const Options& o) {
  const json& solution = o.value("solution");
  const json inputs = {
      {"solution", identity(solution)}, {"sigmas", o.number("sigmas")}, {"top", o.integer("top")}, {"parameters", o.value("parameters")}};
  const StageKey key{"mask", {{"outliers", inputs}}};
  json handle = lab.stage(key, lab.title_of("outliers", solution.at("seed").get<int64_t>()), json{{"count", 0}, {"groups", json::array()}},
                          [&](const auto& out, const auto&) {
                            const Solution s = solution_of(lab, solution, o.value("parameters"));
                            const Mask mask = find_outliers(s.update, s.origin, s.set, *s.family,
                                                            {.sigmas = o.number("sigmas"), .top = o.integer("top")});
                            save_mask(mask, out);
                            json summary = mask.description;
                            summary["profile"] = update_profile(s.update, s.set);
                            return summary;
                          });
  handle["solution"] = solution;
  handle["parameters"] = o.value("parameters");
  return handle;
}

json run_mask(Lab& lab, const Options& o) {
  const json& like = o.value("like");
  const json inputs = {{"control", o.text("control")}, {"like", identity(like)}, {"seed", o.integer("seed")}};
  const StageKey key{"mask", {{"control", inputs}}};
  json handle =
      lab.stage(key, lab.title_of("mask " + o.text("control"), o.integer("seed")), json{{"count", 0}}, [&](const auto& out, const auto&) {
        const Solution s = solution_of(lab, like.at("solution"), like.at("parameters"));
        const Mask mask = matched_mask(o.text("control"), *mask_of(lab, like), s.update, s.origin, s.set, *s.family,
                                       Key::root(static_cast<uint64_t>(o.integer("seed"))).split("mask"));
        save_mask(mask, out);
        return mask.description;
      });
  handle["solution"] = like.at("solution");
  handle["parameters"] = like.at("parameters");
  return handle;
}

Operation discover_operation() {
  return {.name = "discover",
          .doc = "Makes a basis by a subspace plugin.",
          .options = discovery_options(),
          .run = run_discover,
          .more = plugin_options,
          .on_device = false,
          .named = true};
}

}  // namespace

std::vector<Operation> tuning_operations() {
  return {
      {.name = "trajectory",
       .doc = "Makes a trajectory from checkpoints that exist already.",
       .options = trajectory_options(),
       .run = run_trajectory,
       .on_device = false,
       .named = true},
      discover_operation(),
      {.name = "export",
       .doc = "Writes a basis as safetensors with its report, or a training's model: its delta as a PEFT folder, or a Hugging Face folder "
              "with the delta folded in, and how far that moves logits (merge.distance of the result).",
       .options =
           {{.name = "basis", .type = OptionType::artifact, .doc = "from ts.discover", .choices = {"subspace"}},
            {.name = "solution", .type = OptionType::artifact, .doc = "instead: training that kept its last weights", .choices = {"train"}},
            {.name = "form", .type = OptionType::choice, .fallback = "merged", .doc = "of a solution", .choices = {"merged", "peft"}},
            {.name = "path", .type = OptionType::text, .doc = "folder to write", .required = true}},
       .run = run_export},
      {.name = "outliers",
       .doc = "Positions of a training's update that lie beyond k standard deviations of their group's mean, as a mask.",
       .options = {{.name = "solution",
                    .type = OptionType::artifact,
                    .doc = "training within a subspace (or in full space)",
                    .required = true,
                    .choices = {"train"}},
                   {.name = "sigmas", .type = OptionType::number, .fallback = 3.0, .doc = "k", .minimum = 0},
                   {.name = "top",
                    .type = OptionType::integer,
                    .fallback = 10,
                    .doc = "length of each group's list of the largest",
                    .minimum = 0,
                    .maximum = 10000},
                   kParameters},
       .run = run_outliers,
       .on_device = false,
       .named = true},
      {.name = "mask",
       .doc = "A control mask matched to another mask, group by group.",
       .options = {{.name = "control",
                    .type = OptionType::choice,
                    .doc = "how positions are chosen",
                    .required = true,
                    .choices = mask_controls()},
                   {.name = "like", .type = OptionType::artifact, .doc = "mask to match", .required = true, .choices = {"mask"}},
                   {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "of random controls", .minimum = 0}},
       .run = run_mask,
       .on_device = false,
       .named = true},
  };
}

}  // namespace tsrun
