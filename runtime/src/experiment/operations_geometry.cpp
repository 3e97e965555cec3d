#include "experiment/initial_weights.h"
#include "experiment/stored.h"

#include "tsrun/base/error.h"
#include "tsrun/experiment/geometry.h"
#include "tsrun/train/reading.h"

/// The operation `geometry`: metrics of a model's embeddings or hidden states, before or after a training.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

OptionTable geometry_operation_options() {
  OptionTable table = {
      {.name = "model", .type = OptionType::artifact, .doc = "from ts.model", .choices = {"model"}},
      {.name = "solution", .type = OptionType::artifact, .doc = "instead: a finished training", .choices = {"train"}},
      {.name = "which",
       .type = OptionType::choice,
       .fallback = "last",
       .doc = "weights of the training",
       .choices = {"last", "best", "mean"}},
      {.name = "task",
       .type = OptionType::artifact,
       .doc = "whose training rows tell frequencies, and whose rows have hidden states; absent: the training's task, or none",
       .choices = {"task"}},
  };
  return table.include(GeometryRequest::options());
}

/// A call of the operation.
struct GeometryCall {
  std::optional<ModelRef> plain;
  std::optional<TrainingRef> solution;
  std::optional<TaskRef> task;
  std::string which;
  GeometryRequest request;
  Options options;  ///< all of them

  static GeometryCall from(const Options& o);
  StageKey key() const;
};

GeometryCall GeometryCall::from(const Options& o) {
  if (o.has("model") == o.has("solution"))
    user_error("geometry: {} of the options 'model' and 'solution' given, expected one", o.has("model") ? "both" : "none");
  GeometryCall call{.plain = given_ref<ModelRef>(o, "model"),
                    .solution = given_ref<TrainingRef>(o, "solution"),
                    .task = given_ref<TaskRef>(o, "task"),
                    .which = o.text("which"),
                    .request = {},
                    .options = o};
  if (!call.task && call.solution) call.task = call.solution->task;
  if (call.plain && call.which != "last") user_error("geometry: nothing reads option 'which': no training is measured (solution)");
  call.request = GeometryRequest::from(o, call.task.has_value(), "geometry");
  if (call.task && o.text("of") == "hidden") call.task->require(o.text("split"));
  return call;
}

StageKey GeometryCall::key() const {
  json inputs = options.json();
  inputs.update({{"model", identity(plain)}, {"solution", identity(solution)}, {"task", identity(task)}});
  return {"geometry", {{"options", inputs}}};
}

/// The model of a training, with the training's weights.
Model trained_model(Lab& lab, const TrainingRef& solution, const std::string& which) {
  Model model = initial_task_model(lab, solution.task, InitialWeights::of(solution)).model;
  model.weights = weights_with_solution(lab, solution, which, model);
  return model;
}

Model untrained_model(Lab& lab, const GeometryCall& call, const Task* task) {
  if (call.request.of == GeometryRequest::Of::hidden) return initial_task_model(lab, *call.task, {*call.plain, 1}).model;
  return model_of(*call.plain, call.request.head(*plain_family(*call.plain, {}), task), Key::root(0));
}

GeometrySummary measured(Lab& lab, const GeometryCall& call) {
  const ModelRef& ref = call.plain ? *call.plain : call.solution->model;
  std::optional<Task> task;
  if (call.task) task = task_for(task_of(*call.task), plain_family(ref, {})->model_kind());
  const Task* given = task ? &*task : nullptr;
  const Model model = call.plain ? untrained_model(lab, call, given) : trained_model(lab, *call.solution, call.which);
  return geometry_of(model, given, call.request, lab.settings().device);
}

std::string title_of(const Lab& lab, const GeometryCall& call) {
  const std::string what = "geometry of " + call.request.title();
  return call.solution ? lab.title_of(what, call.solution->seed) : lab.title_of(what);
}

json run_geometry(Lab& lab, const Options& o) {
  const GeometryCall call = GeometryCall::from(o);
  GeometrySummary plan;
  plan.of = call.request.title();
  plan.layer = call.request.layer;
  plan.top_k = call.request.top_k;
  return lab.stage(call.key(), title_of(lab, call), plan.to_json(),
                   [&](const auto&, const auto&) { return measured(lab, call).to_json(); });
}

}  // namespace

}  // namespace experiment

std::vector<Operation> geometry_operations() {
  return {
      {.name = "geometry",
       .doc = "Measures the geometry of a model's embeddings or hidden states: cosines, isotropy, spectrum and intrinsic dimension, of the "
              "vectors as given and centred, and by frequency of their words.",
       .options = experiment::geometry_operation_options(),
       .result = "geometry",
       .run = experiment::run_geometry,
       .named = true}};
}

}  // namespace tsrun
