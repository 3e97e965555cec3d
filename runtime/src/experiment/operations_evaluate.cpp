#include "experiment/start.h"
#include "experiment/summaries.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "tsrun/base/error.h"

#include "tsrun/train/effects.h"
#include "tsrun/train/train.h"

/// The operation `evaluate`: scores weights without any training, whole or with their update projected, reset or zeroed.
namespace tsrun {

namespace {

using nlohmann::json;

OptionTable evaluation_options() {
  OptionTable table = {
      {.name = "solution",
       .type = OptionType::artifact,
       .doc = "training whose weights are evaluated",
       .required = true,
       .choices = {"train"}},
      {.name = "which", .type = OptionType::choice, .fallback = "last", .doc = "of its weights", .choices = {"last", "best", "mean"}},
      {.name = "project",
       .type = OptionType::artifact,
       .doc = "keep only the part of the update inside this basis",
       .choices = {"subspace"}},
      {.name = "directions",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "of each group only the first so many directions; 0: all",
       .minimum = 0},
      {.name = "reset",
       .type = OptionType::artifact,
       .doc = "mask of weights that go back to their pre-trained value",
       .choices = {"mask"}},
      {.name = "zero", .type = OptionType::artifact, .doc = "mask of weights set to zero", .choices = {"mask"}},
      {.name = "split", .type = OptionType::text, .fallback = "dev", .doc = "split that is evaluated"},
  };
  table.add(bootstrap_option(0));
  return table.include(reading_options());
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

Weights edited_weights(Lab& lab, const Options& o, const Model& model) {
  Weights weights = solution_weights(lab, o.value("solution"), o.text("which"), *model.family);
  if (o.has("project")) {
    const auto basis = subspace_of(lab, o.value("project"));
    if (!basis->claims_orthonormal()) user_error("evaluate: project: this basis is not orthonormal, so V Vᵀ is no projection");
    edit(weights, model.weights, basis->parameters().layout,
         [&](const at::Tensor& start, const at::Tensor& now) { return start + inside(*basis, now - start, o.integer("directions")); });
  }
  if (o.has("reset")) {
    const auto mask = mask_of(lab, o.value("reset"));
    edit(weights, model.weights, mask->layout, [&](const at::Tensor& start, const at::Tensor& now) {
      const at::Tensor at = positions_of(*mask);
      return now.clone().index_copy_(0, at, start.index_select(0, at));
    });
  }
  if (o.has("zero")) {
    const auto mask = mask_of(lab, o.value("zero"));
    edit(weights, model.weights, mask->layout,
         [&](const at::Tensor&, const at::Tensor& now) { return now.clone().index_fill_(0, positions_of(*mask), 0); });
  }
  return weights;
}

std::string title_of(const Lab& lab, const Options& o) {
  std::string what = "evaluate " + o.text("which");
  if (o.has("project")) what += o.integer("directions") > 0 ? ", top directions only" : ", update projected";
  if (o.has("reset")) what += ", update reset";
  if (o.has("zero")) what += ", weights zeroed";
  return lab.title_of(what, o.value("solution").at("seed").get<int64_t>());
}

json run_evaluate(Lab& lab, const Options& o) {
  if (o.integer("directions") > 0 && !o.has("project"))
    user_error("evaluate: option 'directions' is {}, but nothing is projected; expected 'project' beside it", o.integer("directions"));
  json inputs = o.json();
  for (const char* name : {"solution", "project", "reset", "zero"}) inputs[name] = identity(o.value(name));
  const StageKey key{"evaluation", {{"options", inputs}}};
  const json& solution = o.value("solution");
  const auto plan = EvaluationSummary::planned(solution.at("task").at("metric"), o.integer("bootstrap"));
  const json handle = lab.stage(key, title_of(lab, o), plan.to_json(), [&](const auto&, const auto&) {
    const auto [task, model, trained] = starting_setting(lab, solution.at("task"), Start::of(solution));
    require_read(o, task);
    const Exam exam = make_exam(model, task, o.text("split"), o);
    Predictions predictions;
    const Evaluation evaluation = evaluate(*model.family, edited_weights(lab, o, model), exam, lab.settings().device, &predictions);
    const EvaluationSummary summary{.score = Score::of(evaluation, task),
                                    .metric = task.metrics.front(),
                                    .interval = interval_of(exam, predictions, o.integer("bootstrap"))};
    return summary.to_json();
  });
  return untrained(handle, solution.at("model"), solution.at("task"), solution.at("seed"));
}

}  // namespace

std::vector<Operation> evaluation_operations() {
  return {{.name = "evaluate",
           .doc = "Scores the weights of a training without further training, whole or with their update projected, reset or zeroed.",
           .options = evaluation_options(),
           .run = run_evaluate,
           .named = true}};
}

}  // namespace tsrun
