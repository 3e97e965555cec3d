#include "experiment/identity.h"
#include "experiment/initial_weights.h"
#include "experiment/step_plugins.h"
#include "experiment/stored.h"
#include "experiment/taken_options.h"

#include "tsrun/base/error.h"
#include "tsrun/train/probe.h"
#include "tsrun/train/train.h"

/// The operation `select`: a scope that a selector chooses before any training, shared by seeds.
namespace tsrun {
namespace experiment {
namespace {

using nlohmann::json;

OptionTable selection_options() {
  OptionTable table = {
      {.name = "method", .type = OptionType::text, .doc = "name of a selector plugin", .required = true},
      {.name = "model", .type = OptionType::artifact, .doc = "from ts.model or ts.adapt", .required = true, .choices = {"model"}},
      {.name = "task", .type = OptionType::artifact, .doc = "decides the model's head", .required = true, .choices = {"task"}},
      {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "of random methods and of new parameters", .minimum = 0},
      {.name = "solution",
       .type = OptionType::artifact,
       .doc = "finished training of the same model on the same task, for methods that judge its update",
       .choices = {"train"}},
  };
  table.add(training_rows_option());
  return table.include(reading_options());
}

/// A choice in numbers.
struct SelectionSummary {
  int64_t parameters = 0, trained = 0;  ///< elements of the model, and those that the scope leaves trained
  json table = json::object();          ///< of the selector
  int64_t gradient_rows = 0;            ///< that went forward and backward for the choice

  json to_json() const {
    json summary = {{"parameters", parameters}, {"trained", trained}, {"table", table}};
    if (gradient_rows > 0) summary["gradient_rows"] = gradient_rows;
    return summary;
  }
};

SelectionSummary summary_of(const Scope& scope, const Family& family) {
  SelectionSummary summary;
  for (const ParameterInfo& info : family.parameters()) {
    const Scope::Entry entry = scope.entry(info);
    int64_t numbers = 1;
    for (const int64_t size : info.shape) numbers *= size;
    summary.parameters += numbers;
    if (entry.trained) summary.trained += entry.mask.defined() ? entry.mask.sum().item<int64_t>() : numbers;
  }
  return summary;
}

struct SelectRequest {
  const SelectorMethod& method;
  Options own;  ///< the method's
  ModelRef model;
  TaskRef task;
  int64_t seed = 1;
  std::optional<TrainingRef> solution;
  Options rows;     ///< which training rows it may look at
  Options reading;  ///< of these

  static SelectRequest from(const SelectorMethod& method, const Options& o);
  StageKey key() const {
    json inputs = {{"method", method.name()},        {"version", method.version()}, {"options", keyed(own, method.wants(own).files)},
                   {"model", model.identity()},      {"task", task.identity()},     {"seed", seed},
                   {"solution", identity(solution)}, {"reading", reading.json()}};
    key_training_rows(inputs, rows);
    return {"scope", {{"inputs", inputs}}};
  }
};

SelectRequest SelectRequest::from(const SelectorMethod& method, const Options& o) {
  SelectRequest request{.method = method,
                        .own = taken_options(method.options(), o),
                        .model = ModelRef::from_json(o.value("model")),
                        .task = TaskRef::from_json(o.value("task")),
                        .seed = o.integer("seed"),
                        .solution = given_ref<TrainingRef>(o, "solution"),
                        .rows = training_rows(o, "select"),
                        .reading = taken_options(reading_options(), o)};
  if (request.solution &&
      (request.solution->model.identity() != request.model.identity() || request.solution->task.identity() != request.task.identity()))
    user_error("select: option 'solution' is a training of another model or task; expected those of this call");
  return request;
}

Choice choice_of(Lab& lab, const SelectRequest& request, const TaskModel& loaded, int64_t& gradient_rows) {
  const SelectorMethod& method = request.method;
  const at::Device device = lab.settings().device;
  const Key key = Key::root(static_cast<uint64_t>(request.seed)).split("select").split(method.name());
  const Options reading = train_options().resolve(request.reading.json(), "select");
  const auto probe = make_probe(loaded.model, loaded.task, reading, key.split("probe"), device, &gradient_rows);
  const Weights origin = on_device(loaded.model.weights, device);
  std::optional<Weights> solution;
  if (request.solution) solution = on_device(weights_with_solution(lab, *request.solution, "last", loaded.model), device);
  MethodInputs inputs{*loaded.model.family, origin, key};
  inputs.probe = probe.get();
  if (solution) inputs.solution = &*solution;
  auto choice = method.choose(inputs, request.own);
  if (!choice)
    user_error("select: '{}' chooses during a training only; expected select = ts.schedule(\"{}\", …) of ts.train", method.name(),
               method.name());
  return std::move(*choice);
}

SelectionSummary choose_into(Lab& lab, const SelectRequest& request, const std::filesystem::path& out) {
  TaskModel loaded = initial_task_model(lab, request.task, {request.model, request.seed});
  limit_training_rows(loaded.task, request.rows);
  const Family& family = *loaded.model.family;
  const std::string name = request.method.name();
  int64_t gradient_rows = 0;
  const Choice choice = choice_of(lab, request, loaded, gradient_rows);
  choice.scope.check(family, "selector " + name);
  if (!choice.scope.restricts(family)) user_error("select: '{}' freezes nothing and masks nothing", name);
  save_scope(choice.scope, choice.table, out);
  SelectionSummary summary = summary_of(choice.scope, family);
  summary.table = choice.table;
  summary.gradient_rows = gradient_rows;
  return summary;
}

json run_select(Lab& lab, const Options& o) {
  const SelectorMethod& method = lab.plugins().selector(o.text("method"));
  const SelectRequest request = SelectRequest::from(method, o);
  auto scope =
      ref_to<ScopeRef>(lab.stage(request.key(), lab.title_of("select " + method.name(), request.seed), SelectionSummary().to_json(),
                                 [&](const auto& out, const auto&) { return choose_into(lab, request, out).to_json(); }));
  scope.method = method.name();
  if (request.solution) scope.rests_on = with_own_steps(*request.solution);
  add_gradient_steps(scope.rests_on, scope.key, scope.facts);
  return scope.to_json();
}

OptionTable selector_options(Lab& lab, const json& arguments) {
  const auto method = arguments.find("method");
  if (method == arguments.end() || !method->is_string()) return {};
  return lab.plugins().selector(method->get<std::string>()).options();
}

}  // namespace

}  // namespace experiment

std::vector<Operation> selection_operations() {
  return {{.name = "select",
           .doc = "Chooses the trained parameters before any training, by a selector plugin.",
           .options = experiment::selection_options(),
           .result = "scope",
           .run = experiment::run_select,
           .more = experiment::selector_options,
           .version = 2,  // tells the rows whose gradients it took
           .named = true}};
}

}  // namespace tsrun
