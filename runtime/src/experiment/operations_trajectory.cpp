#include "experiment/parameters_option.h"
#include "experiment/stored.h"
#include "experiment/task_model.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/operators.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/tune/merge.h"

#include <array>

/// The operation `trajectory`: points in weight space that no single training recorded. They are somebody's checkpoints, solutions of
/// several tasks from one model, or those of another trajectory with their updates shuffled.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

OptionTable trajectory_options() {
  return {
      {.name = "origin", .type = OptionType::text, .doc = "Hugging Face folder of the model before training"},
      {.name = "checkpoints", .type = OptionType::list, .doc = "Hugging Face folders or safetensors files, in the order of training"},
      {.name = "solutions",
       .type = OptionType::list,
       .doc =
           "in place of the two: trainings of one model, one point each (the unified subspace of several tasks; Zhang et al., ACL 2023)"},
      {.name = "of",
       .type = OptionType::artifact,
       .doc = "in place of both: a trajectory, which is to be shuffled: the null control of a basis",
       .choices = {"trajectory"}},
      {.name = "which", .type = OptionType::choice, .doc = "solutions: weights of each; absent: last", .choices = {"last", "best", "mean"}},
      {.name = "model",
       .type = OptionType::artifact,
       .doc = "solutions with a delta: the plain model, whose weights the delta is merged into",
       .choices = {"model"}},
      {.name = "shuffled",
       .type = OptionType::integer,
       .doc = "a seed: the entries of updates are permuted within their tensors, the control of same numbers in other places. 'solutions': "
              "each by itself; 'of': all points alike, so that the singular values stay",
       .minimum = 0},
      parameters_option(),
      {.name = "precision",
       .type = OptionType::choice,
       .fallback = "float32",
       .doc = "of the trajectory's rows on disk",
       .choices = {"float32", "bfloat16"}},
  };
}

RowType row_type(const Options& o) { return o.text("precision") == "bfloat16" ? RowType::bfloat16 : RowType::float32; }

struct TrajectorySummary {
  int64_t points = 0;

  json to_json() const { return {{"points", points}}; }
};

// --- somebody's checkpoints -------------------------------------------------------------------------------------------------------

std::string digest_of_checkpoint(const std::filesystem::path& checkpoint) {
  return std::filesystem::is_directory(checkpoint) ? CheckpointFolder::open(checkpoint).digest() : sha256_file(checkpoint);
}

struct CheckpointPath {
  std::filesystem::path origin;
  std::vector<std::string> checkpoints;
  ParameterSelection selection;
  RowType type = RowType::float32;
  json inputs;  ///< of the stage key

  static CheckpointPath from(const Options& o);
};

CheckpointPath CheckpointPath::from(const Options& o) {
  for (const char* name : {"which", "model", "shuffled"})
    if (o.has(name)) user_error("trajectory: option '{}' belongs to 'solutions', which is absent", name);
  for (const char* name : {"origin", "checkpoints"})
    if (!o.has(name)) user_error("trajectory: option '{}' is missing; expected 'origin' and 'checkpoints', 'solutions', or 'of'", name);
  CheckpointPath request;
  request.origin = resolve_model_folder(o.text("origin"));
  request.checkpoints = o.texts("checkpoints");
  if (request.checkpoints.empty()) user_error("trajectory: option 'checkpoints' is empty, expected at least one folder or file");
  request.selection = parse_selection(o.value("parameters"), "trajectory: parameters");
  request.type = row_type(o);
  request.inputs = {
      {"origin", digest_of_checkpoint(request.origin)}, {"parameters", o.value("parameters")}, {"precision", o.text("precision")}};
  for (const auto& checkpoint : request.checkpoints) request.inputs["checkpoints"].push_back(digest_of_checkpoint(checkpoint));
  return request;
}

TrajectorySummary record_into(const CheckpointPath& request, const Family& family, const ParameterSet& set,
                              const std::filesystem::path& out) {
  TrajectoryWriter writer(out, set.layout, flatten(load_weights(request.origin, family), set.layout), request.type);
  int64_t index = 0;
  for (const auto& checkpoint : request.checkpoints) {
    ++index;
    writer.append({.step = index, .epoch = static_cast<double>(index)}, flatten(load_weights(checkpoint, family), set.layout));
  }
  return {.points = writer.size()};
}

json run_checkpoint_path(Lab& lab, const Options& o) {
  const CheckpointPath request = CheckpointPath::from(o);
  const auto count = static_cast<int64_t>(request.checkpoints.size());
  const std::shared_ptr<const Family> family =
      make_family(CheckpointFolder::open(request.origin).config(), HeadSpec{}, (request.origin / "config.json").string());
  const ParameterSet set = select_parameters(*family, request.selection);
  return lab.stage({"trajectory", {{"options", request.inputs}}}, lab.title_of(fmt::format("trajectory of {} checkpoints", count)),
                   TrajectorySummary{.points = count}.to_json(),
                   [&](const auto& out, const auto&) { return record_into(request, *family, set, out).to_json(); });
}

// --- solutions --------------------------------------------------------------------------------------------------------------------

struct SolutionPath {
  std::vector<TrainingRef> solutions;
  std::string which;
  ModelRef model;  ///< of the parameters
  std::optional<int64_t> shuffled;
  json parameters;
  std::string precision;

  static SolutionPath from(const Options& o);
  StageKey key() const;
};

/// The model whose weights the solutions change. @throws Error(user) when they are of several, or need to be told it
ModelRef model_of_path(const Options& o, const std::vector<TrainingRef>& solutions) {
  const ModelRef& trained = solutions.front().model;
  for (const TrainingRef& solution : solutions) {
    if (solution.model.key != trained.key)
      user_error("trajectory: solutions of different models ({:.8} and {:.8}), expected one", trained.key, solution.model.key);
    if (solution.edits_start())
      user_error("trajectory: the solution of task '{}' (seed {}) did not start at its model's weights, so there is no common origin",
                 solution.task.name, solution.seed);
  }
  if (!trained.adapted()) {
    if (o.has("model")) user_error("trajectory: option 'model' is given, but the solutions have no delta: their model is known");
    return trained;
  }
  if (!o.has("model")) user_error("trajectory: the solutions have a delta: give the plain model, which it is merged into, as 'model'");
  ModelRef plain = ModelRef::from_json(o.value("model"));
  if (plain.adapted() || plain.spec != trained.spec)
    user_error("trajectory: option 'model' is {}\"{}\", expected the plain \"{}\"", plain.adapted() ? "an adapted " : "", plain.spec,
               trained.spec);
  return plain;
}

SolutionPath SolutionPath::from(const Options& o) {
  for (const char* name : {"origin", "checkpoints"})
    if (o.has(name)) user_error("trajectory: options '{}' and 'solutions' are both given, expected one way to name points", name);
  SolutionPath request;
  request.solutions = trainings_in(o.value("solutions"), "trajectory: solutions");
  if (request.solutions.empty()) user_error("trajectory: option 'solutions' is empty, expected at least one training");
  request.which = o.has("which") ? o.text("which") : "last";
  for (const TrainingRef& solution : request.solutions) require_kept(solution, request.which, "trajectory");
  request.model = model_of_path(o, request.solutions);
  if (o.has("shuffled")) request.shuffled = o.integer("shuffled");
  request.parameters = o.value("parameters");
  request.precision = o.text("precision");
  return request;
}

StageKey SolutionPath::key() const {
  json inputs = {{"which", which}, {"model", model.identity()}, {"parameters", parameters}, {"precision", precision}};
  for (const TrainingRef& solution : solutions) inputs["solutions"].push_back(solution.identity());
  if (shuffled) inputs["shuffled"] = *shuffled;
  return {"trajectory", {{"options", inputs}}};
}

/// Flat weights of a solution over the plain model's layout, with its deltas merged.
at::Tensor weights_of(Lab& lab, const SolutionPath& request, const TrainingRef& solution, const ParameterSet& set) {
  const auto family = family_of(lab.plugins(), solution.model, {});
  Weights weights = solution_weights(lab, solution, request.which, *family);
  if (!solution.model.adapted()) return flatten(weights, set.layout);
  take_constants(folder_of(lab, solution), weights);
  const auto plain = plain_family(solution.model, {});
  return flatten(Merged(attached(lab.plugins(), solution.model.deltas, *plain), std::move(weights)).weights(), set.layout);
}

/// Permutes the entries of each tensor of a flat update.
void shuffle_within_tensors(at::Tensor& update, const Layout& layout, Key key) {
  for (const auto& slice : layout.slices()) {
    const std::vector<int64_t> order = permutation(key.split(slice.name), slice.size);
    const at::Tensor index = at::tensor(order, at::kLong);
    at::Tensor part = update.narrow(0, slice.offset, slice.size);
    part.copy_(part.index_select(0, index));
  }
}

TrajectorySummary collect_into(Lab& lab, const SolutionPath& request, const std::filesystem::path& out) {
  const auto family = plain_family(request.model, {});
  const ParameterSet set = select_parameters(*family, parse_selection(request.parameters, "trajectory: parameters"));
  const at::Tensor origin = flatten(starting_weights(lab.plugins(), request.model, 0), set.layout);
  TrajectoryWriter writer(out, set.layout, origin, request.precision == "bfloat16" ? RowType::bfloat16 : RowType::float32);
  for (const TrainingRef& solution : request.solutions) {
    const int64_t index = writer.size() + 1;
    at::Tensor weights = weights_of(lab, request, solution, set);
    if (request.shuffled) {
      at::Tensor update = weights - origin;
      const Key key = Key::root(static_cast<uint64_t>(*request.shuffled)).split("shuffled trajectory").split(static_cast<uint64_t>(index));
      shuffle_within_tensors(update, set.layout, key);
      weights = origin + update;
    }
    writer.append({.step = index, .epoch = static_cast<double>(index)}, weights);
  }
  return {.points = writer.size()};
}

json run_solution_path(Lab& lab, const Options& o) {
  const SolutionPath request = SolutionPath::from(o);
  const auto count = static_cast<int64_t>(request.solutions.size());
  auto trajectory = ref_to<TrajectoryRef>(
      lab.stage(request.key(), lab.title_of(fmt::format("trajectory of {} solutions", count)), TrajectorySummary{.points = count}.to_json(),
                [&](const auto& out, const auto&) { return collect_into(lab, request, out).to_json(); }));
  trajectory.model = request.model;
  for (const TrainingRef& solution : request.solutions) trajectory.rests_on.merge(with_own_steps(solution));
  return trajectory.to_json();
}

// --- a shuffled trajectory --------------------------------------------------------------------------------------------------------

/// The points of `from`, all permuted alike: distances and angles between them stay, and with them the singular values of each tensor.
TrajectorySummary shuffle_into(const Trajectory& from, int64_t seed, RowType type, const std::filesystem::path& out) {
  const auto source = from.origin();
  const at::Tensor origin = at::tensor(at::ArrayRef<float>(source.data(), source.size()));
  TrajectoryWriter writer(out, from.layout(), origin, type);
  const Key key = Key::root(static_cast<uint64_t>(seed)).split("shuffled trajectory");
  const Rows differences = from.differences();
  for (int64_t i = 0; i < from.size(); ++i) {
    const Rows row{{differences.data[static_cast<size_t>(i)]}, differences.type, differences.columns};
    at::Tensor update = at::zeros_like(origin);
    add_combination(row, std::array{1.0}, {update.data_ptr<float>(), source.size()});
    shuffle_within_tensors(update, from.layout(), key);
    writer.append(from.points()[static_cast<size_t>(i)], origin + update);
  }
  return {.points = writer.size()};
}

json run_shuffled_path(Lab& lab, const Options& o) {
  for (const char* name : {"origin", "checkpoints", "solutions", "which", "model"})
    if (o.has(name)) user_error("trajectory: options '{}' and 'of' are both given, expected one way to name points", name);
  if (o.value("parameters") != parameters_option().fallback)
    user_error("trajectory: options 'parameters' and 'of' are both given, but a trajectory has parameters of its own");
  if (!o.has("shuffled")) user_error("trajectory: option 'shuffled' is missing: a seed, for what 'of' has is a trajectory already");
  auto shuffled = TrajectoryRef::from_json(o.value("of"));
  const TrajectoryRef of = shuffled;
  const int64_t seed = o.integer("shuffled");
  const json inputs = {{"of", of.identity()}, {"shuffled", seed}, {"precision", o.text("precision")}};
  static_cast<ArtifactRef&>(shuffled) = ref_to<TrajectoryRef>(
      lab.stage({"trajectory", {{"options", inputs}}}, lab.title_of("shuffled trajectory"), TrajectorySummary{}.to_json(),
                [&](const auto& out, const auto&) { return shuffle_into(trajectory_of(lab, of), seed, row_type(o), out).to_json(); }));
  return shuffled.to_json();
}

json run_trajectory(Lab& lab, const Options& o) {
  if (o.has("of")) return run_shuffled_path(lab, o);
  return o.has("solutions") ? run_solution_path(lab, o) : run_checkpoint_path(lab, o);
}

}  // namespace

}  // namespace experiment

std::vector<Operation> trajectory_operations() {
  return {{.name = "trajectory",
           .doc = "Makes a trajectory from existing checkpoints, or from solutions of several tasks.",
           .options = experiment::trajectory_options(),
           .result = "trajectory",
           .run = experiment::run_trajectory,
           .on_device = false,
           .named = true}};
}

}  // namespace tsrun
