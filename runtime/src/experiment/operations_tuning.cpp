#include "experiment/export_basis.h"
#include "experiment/export_model.h"
#include "experiment/initial_weights.h"
#include "experiment/parameters_option.h"
#include "experiment/stored.h"
#include "experiment/taken_options.h"
#include "experiment/task_model.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/probe.h"
#include "tsrun/train/train.h"

#include <algorithm>

/// Operations that make subspaces, and export what was made.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

OptionTable discovery_options() {
  OptionTable table = {
      {.name = "method", .type = OptionType::text, .doc = "name of a subspace plugin", .required = true},
      {.name = "trajectory",
       .type = OptionType::artifact,
       .doc = "recorded by a training or made by ts.trajectory",
       .choices = {"trajectory"}},
      {.name = "model",
       .type = OptionType::artifact,
       .doc = "model of the parameters; absent: that of the trajectory",
       .choices = {"model"}},
      {.name = "task",
       .type = OptionType::artifact,
       .doc = "its training rows are what methods of gradients look at, under the initial weights of a training on it; others ignore it",
       .choices = {"task"}},
      {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "of random methods, and of a task's head", .minimum = 0},
      parameters_option(),
  };
  table.add(training_rows_option());
  return table.include(reading_options());
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

struct DiscoverRequest {
  const SubspaceMethod& method;
  Options own;  ///< the method's
  std::optional<TrajectoryRef> trajectory;
  ModelRef model;
  int64_t seed = 1;
  json parameters;                            ///< as `parse_selection` reads them
  std::optional<TaskRef> task = {};           ///< for a method that needs a probe
  Options rows = Options(json::object());     ///< which of the task's training rows it may look at
  Options reading = Options(json::object());  ///< of these

  StageKey key(const Lab& lab) const;
};

StageKey DiscoverRequest::key(const Lab& lab) const {
  json inputs = {{"method", method.name()},   {"version", method.version()},
                 {"options", own.json()},     {"trajectory", identity(trajectory)},
                 {"model", model.identity()}, {"seed", seed},
                 {"parameters", parameters}};
  if (task) {
    inputs.update({{"task", task->identity()},
                   {"reading", reading.json()},
                   {"device", c10::DeviceTypeName(lab.settings().device.type(), /*lower_case=*/true)}});
    key_training_rows(inputs, rows);
  }
  return {"subspace", {{"inputs", inputs}}};
}

ModelRef model_to_span(const Options& o, const std::optional<TrajectoryRef>& trajectory) {
  if (o.has("model")) return ModelRef::from_json(o.value("model"));
  if (!trajectory || !trajectory->model)
    user_error("discover: option 'model' is missing: give a model, or a trajectory that knows its own");
  return *trajectory->model;
}

struct BasisSummary {
  json description = {{"groups", json::array()}};  ///< of the method and its groups
  int64_t dim = 0, bytes = 0;
  std::vector<int64_t> dims;
  std::optional<std::string> start = {};  ///< digest of θ0, of a map that takes it away
  int64_t gradient_rows = 0;              ///< that went forward and backward for the basis

  static BasisSummary of(const Subspace& subspace) {
    return {described(subspace), subspace.dim(), subspace.bytes_shipped(), subspace.dims()};
  }
  json to_json() const {
    json summary = description;
    summary.update({{"dim", dim}, {"dims", dims}, {"bytes", bytes}});
    if (start) summary["start"] = *start;
    if (gradient_rows > 0) summary["gradient_rows"] = gradient_rows;
    return summary;
  }
};

/// The model under the weights that a training of the task starts from, and the task's training rows.
struct Calibration {
  Calibration(Lab& lab, const DiscoverRequest& request)
      : loaded(initial_task_model(lab, *request.task, {request.model, request.seed})),
        weights(on_device(loaded.model.weights, lab.settings().device)),
        probe(make_probe(loaded.model, loaded.task, train_options().resolve(request.reading.json(), "discover"),
                         Key::root(static_cast<uint64_t>(request.seed)).split("discover").split("probe"), lab.settings().device,
                         &gradient_rows)) {
    limit_training_rows(loaded.task, request.rows);
  }
  TaskModel loaded;
  Weights weights;
  int64_t gradient_rows = 0;
  std::unique_ptr<Probe> probe;
};

/// Whether the map takes θ0 away: θ0 + expand(0) = 0. It fits no other start, then.
bool drops(const Subspace& subspace, const at::Tensor& origin) {
  if (subspace.linear() || !origin.any().item<bool>()) return false;
  const at::Tensor theta = origin.clone();
  subspace.expand(at::zeros({subspace.dim()}, at::kFloat), theta);
  return !theta.any().item<bool>();
}

BasisSummary discover_into(Lab& lab, const DiscoverRequest& request, const std::filesystem::path& out, const std::filesystem::path& work) {
  const auto family = family_of(lab.plugins(), request.model, {});
  std::optional<Trajectory> trajectory;
  if (request.trajectory) trajectory = trajectory_of(lab, *request.trajectory);
  std::optional<Calibration> calibration;
  if (request.task) calibration.emplace(lab, request);
  SubspaceInputs to;
  to.parameters = parameters_of(*family, request.parameters, trajectory ? &*trajectory : nullptr);
  to.trajectory = trajectory ? &*trajectory : nullptr;
  const Weights weights = trajectory ? Weights{} : starting_weights(lab.plugins(), request.model, request.seed);
  to.origin = trajectory ? origin_of(*trajectory) : flatten(weights, to.parameters.layout);
  to.key = Key::root(static_cast<uint64_t>(request.seed)).split("projection");
  to.scratch = work;
  if (calibration) to.weights = &calibration->weights, to.probe = calibration->probe.get();
  const auto subspace = request.method.discover(to, request.own);
  save_subspace(*subspace, request.method, request.own, out);
  BasisSummary summary = BasisSummary::of(*subspace);
  if (drops(*subspace, to.origin)) summary.start = digest_of(to.origin);
  if (calibration) summary.gradient_rows = calibration->gradient_rows;
  return summary;
}

/// The task of a method that needs one.
std::optional<TaskRef> task_to_probe(const SubspaceMethod& method, const Options& o) {
  if (!method.needs_probe()) return std::nullopt;
  auto task = given_ref<TaskRef>(o, "task");
  if (!task) user_error("discover: method '{}' needs option 'task', whose gradients it takes", method.name());
  return task;
}

json run_discover(Lab& lab, const Options& o) {
  const SubspaceMethod& method = lab.plugins().subspace(o.text("method"));
  if (method.needs_trajectory() && !o.has("trajectory")) user_error("discover: method '{}' needs option 'trajectory'", method.name());
  const auto trajectory = given_ref<TrajectoryRef>(o, "trajectory");
  const DiscoverRequest request{.method = method,
                                .own = taken_options(method.options(), o),
                                .trajectory = trajectory,
                                .model = model_to_span(o, trajectory),
                                .seed = o.integer("seed"),
                                .parameters = o.value("parameters"),
                                .task = task_to_probe(method, o),
                                .rows = training_rows(o, "discover"),
                                .reading = taken_options(reading_options(), o)};
  if (!request.task && request.rows.integer("rows") > 0)
    user_error("discover: nothing reads option 'training_rows': '{}' looks at none; expected it left out", method.name());
  json handle = lab.stage(request.key(lab), lab.title_of("discover " + method.name(), request.seed), BasisSummary().to_json(),
                          [&](const auto& out, const auto& work) { return discover_into(lab, request, out, work).to_json(); });
  handle.update({{"method", method.name()}, {"model", request.model.to_json()}});
  StepsByTraining rests_on;
  if (trajectory) handle["trajectory"] = trajectory->to_json(), rests_on = trajectory->rests_on;
  add_gradient_steps(rests_on, handle.at("key"), handle);
  if (!rests_on.empty()) handle["rests_on"] = rests_on;
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
  if (o.has("solution")) return export_model(lab, TrainingRef::from_json(o.value("solution")), o.text("form"), to);
  const json result = {{"path", to.string()}};
  if (lab.settings().plan_only) return result;
  const auto basis = subspace_of(lab, BasisRef::from_json(o.value("basis")));
  export_basis(*basis, to);
  return result;
}

Operation discover_operation() {
  return {.name = "discover",
          .doc = "Makes a basis by a subspace plugin.",
          .options = discovery_options(),
          .result = "subspace",
          .run = run_discover,
          .more = plugin_options,
          .on_device = false,
          .named = true};
}

}  // namespace

}  // namespace experiment

std::vector<Operation> tuning_operations() {
  return {
      experiment::discover_operation(),
      {.name = "export",
       .doc = "Writes a basis as safetensors with its report, or a training's model: its delta as a PEFT folder, or a Hugging Face folder "
              "with the delta merged (merge.distance of the result is the largest change of a logit).",
       .options =
           {{.name = "basis", .type = OptionType::artifact, .doc = "from ts.discover", .choices = {"subspace"}},
            {.name = "solution",
             .type = OptionType::artifact,
             .doc = "instead: training with keep = \"last\" or \"all\"",
             .choices = {"train"}},
            {.name = "form", .type = OptionType::choice, .fallback = "merged", .doc = "of a solution", .choices = {"merged", "peft"}},
            {.name = "path", .type = OptionType::text, .doc = "folder to write", .required = true}},
       .result = "export",
       .run = experiment::run_export},
  };
}

}  // namespace tsrun
