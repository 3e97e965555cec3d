#include "experiment/initial_weights.h"
#include "experiment/summaries.h"
#include "experiment/zoo.h"

#include "tsrun/base/error.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/train/effects.h"

/// The operations `zoo` and `from_zoo`: several solutions over one stored basis, written to a folder and read again.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

std::map<std::string, TrainingRef> solutions_of(const json& given) {
  std::map<std::string, TrainingRef> solutions;
  for (const auto& [place, handle] : given.items()) {
    if (!handle.is_object() || handle.value("artifact", json()) != "train") user_error("zoo: solutions: expected trainings of ts.train");
    TrainingRef solution = TrainingRef::from_json(handle);
    const std::string name = given.is_array() ? solution.task.name : place;
    if (!solutions.emplace(name, std::move(solution)).second)
      user_error("zoo: two solutions are called '{}': give them names, as in solutions = {{ first = …, second = … }}", name);
  }
  return solutions;
}

json run_zoo(Lab& lab, const Options& o) {
  const ZooRequest request{BasisRef::from_json(o.value("basis")), solutions_of(o.value("solutions")), o.text("which")};
  request.check();
  json result = lab.settings().plan_only ? Zoo().to_json() : write_zoo(lab, request, o.text("path")).to_json();
  result["path"] = o.text("path");
  return result;
}

OptionTable from_zoo_options() {
  OptionTable table = {
      {.name = "path", .type = OptionType::text, .doc = "folder that ts.zoo wrote", .required = true},
      {.name = "solution", .type = OptionType::text, .doc = "name in the zoo", .required = true},
      {.name = "model", .type = OptionType::artifact, .doc = "the model that the zoo is of", .required = true, .choices = {"model"}},
      {.name = "task", .type = OptionType::artifact, .doc = "task that the solution is of", .required = true, .choices = {"task"}},
      {.name = "split", .type = OptionType::text, .fallback = "dev", .doc = "split to evaluate on"},
  };
  return table.include(text_options());
}

struct FromZooRequest {
  ZooSolution solution;
  ModelRef model;
  TaskRef task;
  std::string split, name;
  Options options;

  static FromZooRequest from(const Options& o) {
    return {ZooSolution::find(o.text("path"), o.text("solution")),
            ModelRef::from_json(o.value("model")),
            TaskRef::from_json(o.value("task")),
            o.text("split"),
            o.text("solution"),
            o};
  }
  StageKey key() const {
    json inputs = options.json();
    for (const char* place : {"path", "solution"}) inputs.erase(place);
    inputs.update({{"model", model.identity()}, {"task", task.identity()}, {"files", solution.digests}});
    return {"train", {{"from_zoo", inputs}}};
  }
};

struct ZooSummary {
  TrainSummary training;
  int64_t bytes_basis = 0;
  std::vector<int64_t> dims = {};
  ModelRef model;

  json to_json() const {
    json result = training.to_json();
    put_basis(result, bytes_basis, dims);
    result["model"] = model.to_json();
    return result;
  }
};

ZooSummary take_into(Lab& lab, const FromZooRequest& request, const std::filesystem::path& out) {
  TaskModel loaded = initial_task_model(lab, request.task, {.model = request.model});
  const TakenSolution taken = take_zoo_solution(lab.plugins(), request.solution, loaded.model);
  save_weights(parameters_in(loaded.model), out / "last.safetensors");
  save_constants(loaded.model, out);
  write_safetensors(out / "coordinates.safetensors", std::vector<TensorInfo>{as_info("z", taken.z), as_info("z_best", taken.z)});
  require_read(request.options, loaded.task);
  const EvaluationSet rows = make_evaluation_set(loaded.model, loaded.task, request.split, request.options);
  const Score score = Score::of(evaluate(*loaded.model.family, loaded.model.weights, rows, lab.settings().device), loaded.task);
  return {.training = {.best = score,
                       .last = score,
                       .metric = loaded.task.metrics.front(),
                       .trainable = taken.z.numel(),
                       .degrees_of_freedom = taken.z.numel(),
                       .bytes_shipped = static_cast<int64_t>(std::filesystem::file_size(request.solution.file))},
          .bytes_basis = taken.bytes_basis,
          .dims = taken.dims,
          .model = request.model};
}

json run_from_zoo(Lab& lab, const Options& o) {
  const FromZooRequest request = FromZooRequest::from(o);
  request.task.require(request.split);
  ZooSummary plan;
  plan.training.metric = request.task.metric;
  plan.model = request.model;
  auto solution = ref_to<TrainingRef>(lab.stage(request.key(), lab.title_of("solution " + request.name + " of a zoo"), plan.to_json(),
                                                [&](const auto& out, const auto&) { return take_into(lab, request, out).to_json(); }));
  solution.model = request.model;
  solution.task = request.task;
  solution.keep = "last";
  solution.facts["split"] = request.split;
  return solution.to_json();
}

}  // namespace

}  // namespace experiment

std::vector<Operation> zoo_operations() {
  return {
      {.name = "zoo",
       .doc = "Writes solutions that were trained within one basis to a folder: the basis once, and for each solution its coordinates with "
              "what was trained beside them. The result tells bytes_basis, and of each of `solutions` bytes_coordinates and bytes_beside.",
       .options = {{.name = "basis", .type = OptionType::artifact, .doc = "of all solutions", .required = true, .choices = {"subspace"}},
                   {.name = "solutions",
                    .type = OptionType::table,
                    .doc = "trainings within the basis with kept weights: a list, by the names of their tasks, or { name = training }",
                    .required = true,
                    .choices = {"list"}},
                   {.name = "which",
                    .type = OptionType::choice,
                    .fallback = "last",
                    .doc = "weights of the trainings",
                    .choices = {"last", "best"}},
                   {.name = "path", .type = OptionType::text, .doc = "folder to write", .required = true}},
       .result = "zoo",
       .run = experiment::run_zoo},
      {.name = "from_zoo",
       .doc = "A solution of a zoo as a training whose last weights were kept, to evaluate, predict or export it.",
       .options = experiment::from_zoo_options(),
       .result = "train",
       .run = experiment::run_from_zoo,
       .version = 2,
       .named = true}};
}

}  // namespace tsrun
