#include "experiment/initial_weights.h"
#include "experiment/label_map.h"
#include "experiment/stored.h"
#include "experiment/summaries.h"

#include "tsrun/base/error.h"

#include "tsrun/base/operators.h"
#include "tsrun/train/effects.h"
#include "tsrun/train/train.h"

/// The operation `evaluate`: scores weights without any training, whole or with their update projected, reset or zeroed.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

OptionTable evaluation_options() {
  OptionTable table = {
      {.name = "solution", .type = OptionType::artifact, .doc = "training to evaluate", .required = true, .choices = {"train"}},
      {.name = "which",
       .type = OptionType::choice,
       .fallback = "last",
       .doc = "weights of the training",
       .choices = {"last", "best", "mean"}},
      {.name = "project",
       .type = OptionType::artifact,
       .doc = "keep only the part of the update inside this basis",
       .choices = {"subspace"}},
      {.name = "directions",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "number of directions of each group, the first ones; 0: all",
       .minimum = 0},
      {.name = "reset", .type = OptionType::artifact, .doc = "mask of weights reset to their pre-trained value", .choices = {"mask"}},
      {.name = "zero", .type = OptionType::artifact, .doc = "mask of weights set to zero", .choices = {"mask"}},
      {.name = "split", .type = OptionType::text, .fallback = "dev", .doc = "split to evaluate on"},
      {.name = "rows",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "number of rows of the split, chosen as in ts.scan; 0: all",
       .minimum = 0},
      {.name = "task",
       .type = OptionType::artifact,
       .doc = "another classification to evaluate on; absent: the training's task",
       .choices = {"task"}},
      {.name = "labels",
       .type = OptionType::table,
       .doc = "labels of that task that predictions stand for, by label of the training's task; absent: labels of the same name"},
  };
  table.add(bootstrap_option(0));
  return table.include(text_options());
}

/// V Vᵀ u, with only the first `directions` coordinates of each group when that is positive.
at::Tensor inside(const Subspace& basis, const at::Tensor& update, int64_t directions) {
  at::Tensor z = basis.project(at::zeros({basis.dim()}), update);
  int64_t first = 0;
  for (const int64_t dim : basis.dims()) {
    if (directions > 0 && directions < dim) z.slice(0, first + directions, first + dim).zero_();
    first += dim;
  }
  at::Tensor projected = at::zeros_like(update);
  basis.expand(z, projected);
  return projected;
}

/// Applies `change` to the weights of `layout` as one flat vector, given origin and current value.
template <class Change>
void edit(Weights& weights, const Weights& origin, const Layout& layout, const Change& change) {
  const at::Tensor start = flatten(origin, layout);
  const Weights edited = unflatten(change(start, flatten(weights, layout)), layout);
  for (const auto& name : edited.names()) weights.set(name, edited.at(name));
}

at::Tensor positions_of(const Mask& mask) { return at::tensor(mask.positions, at::kLong); }

struct EvaluateRequest {
  TrainingRef solution;
  std::string which, split;
  std::optional<BasisRef> project;
  std::optional<MaskRef> reset, zero;
  std::optional<TaskRef> other;  ///< task that is evaluated instead of the training's
  json labels;                   ///< of that task, by the training's
  int64_t directions = 0, bootstrap = 0;
  Options options;  ///< all of them

  const TaskRef& task() const { return other ? *other : solution.task; }
  static EvaluateRequest from(const Options& o);
  StageKey key() const;
};

EvaluateRequest EvaluateRequest::from(const Options& o) {
  EvaluateRequest request{.solution = TrainingRef::from_json(o.value("solution")),
                          .which = o.text("which"),
                          .split = o.text("split"),
                          .project = given_ref<BasisRef>(o, "project"),
                          .reset = given_ref<MaskRef>(o, "reset"),
                          .zero = given_ref<MaskRef>(o, "zero"),
                          .other = given_ref<TaskRef>(o, "task"),
                          .labels = o.value("labels"),
                          .directions = o.integer("directions"),
                          .bootstrap = o.integer("bootstrap"),
                          .options = o};
  require_kept(request.solution, request.which, "evaluate");
  request.task().require(request.split);
  if (request.directions > 0 && !request.project)
    user_error("evaluate: option 'directions' is {}, but nothing is projected; expected 'project' beside it", request.directions);
  if (!request.other && !request.labels.is_null())
    user_error("evaluate: option 'labels' is given, but the training's own task is evaluated; expected 'task' beside it");
  return request;
}

StageKey EvaluateRequest::key() const {
  json inputs = options.json();
  if (options.integer("rows") == 0) inputs.erase("rows");  // no part of the keys of evaluations on all rows
  if (other)
    inputs["task"] = other->identity();
  else
    for (const char* name : {"task", "labels"}) inputs.erase(name);  // no part of the keys of evaluations without them
  inputs.update({{"solution", solution.identity()}, {"project", identity(project)}, {"reset", identity(reset)}, {"zero", identity(zero)}});
  return {"evaluation", {{"options", inputs}}};
}

Weights edited_weights(Lab& lab, const EvaluateRequest& request, const Model& model) {
  Weights weights = weights_with_solution(lab, request.solution, request.which, model);
  if (request.project) {
    const auto basis = subspace_of(lab, *request.project);
    if (!basis->claims_orthonormal()) user_error("evaluate: project: this basis is not orthonormal, so V Vᵀ is no projection");
    edit(weights, model.weights, basis->parameters().layout,
         [&](const at::Tensor& start, const at::Tensor& now) { return start + inside(*basis, now - start, request.directions); });
  }
  if (request.reset) {
    const auto mask = mask_of(lab, *request.reset);
    edit(weights, model.weights, mask->layout, [&](const at::Tensor& start, const at::Tensor& now) {
      const at::Tensor at = positions_of(*mask);
      return now.clone().index_copy_(0, at, start.index_select(0, at));
    });
  }
  if (request.zero) {
    const auto mask = mask_of(lab, *request.zero);
    edit(weights, model.weights, mask->layout,
         [&](const at::Tensor&, const at::Tensor& now) { return now.clone().index_fill_(0, positions_of(*mask), 0); });
  }
  return weights;
}

std::string title_of(const Lab& lab, const EvaluateRequest& request) {
  std::string what = "evaluate " + request.which;
  if (request.project) what += request.directions > 0 ? ", top directions only" : ", update projected";
  if (request.reset) what += ", update reset";
  if (request.zero) what += ", weights zeroed";
  if (request.other) what += " on " + request.other->name;
  return lab.title_of(what, request.solution.seed);
}

EvaluationSummary evaluated(Lab& lab, const EvaluateRequest& request) {
  const TaskModel start = initial_task_model(lab, request.solution.task, InitialWeights::of(request.solution));
  Task task = request.other ? task_of(*request.other) : start.task;
  limit_rows(task, request.split, request.options.integer("rows"));
  const Model& model = start.model;
  require_read(request.options, task);
  const std::vector<int64_t> classes = request.other ? label_map(start.task, task, request.labels) : std::vector<int64_t>();
  EvaluationSet evaluation_set = make_evaluation_set(model, task, request.split, request.options);
  evaluation_set.classes = classes;
  Predictions predictions;
  const Evaluation evaluation =
      evaluate(*model.family, edited_weights(lab, request, model), evaluation_set, lab.settings().device, &predictions);
  return {.score = Score::of(evaluation, task),
          .metric = task.metrics.front(),
          .interval = interval_of(evaluation_set, predictions, request.bootstrap)};
}

json run_evaluate(Lab& lab, const Options& o) {
  const EvaluateRequest request = EvaluateRequest::from(o);
  const TrainingRef& solution = request.solution;
  const auto plan = EvaluationSummary::planned(request.task().metric, request.bootstrap);
  const json handle = lab.stage(request.key(), title_of(lab, request), plan.to_json(),
                                [&](const auto&, const auto&) { return evaluated(lab, request).to_json(); });
  StepsByTraining steps = with_own_steps(solution);
  if (request.project) steps.merge(StepsByTraining(request.project->rests_on));
  json result = untrained(handle, solution.model, request.task(), solution.seed);
  put_steps(result, steps);
  result["split"] = request.split;
  if (request.project) put_basis(result, *request.project, request.directions);
  return result;
}

}  // namespace

}  // namespace experiment

std::vector<Operation> evaluation_operations() {
  return {{.name = "evaluate",
           .doc = "Scores the weights of a training without further training, whole or with their update projected, reset or zeroed.",
           .options = experiment::evaluation_options(),
           .result = "evaluation",
           .run = experiment::run_evaluate,
           .named = true}};
}

}  // namespace tsrun
