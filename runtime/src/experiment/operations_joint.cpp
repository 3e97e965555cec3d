#include "experiment/joint.h"
#include "experiment/start.h"
#include "experiment/taken_options.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "tsrun/base/error.h"
#include "tsrun/train/joint.h"

/// The operation `decompose`: one space of few numbers for several ways of tuning a model.
namespace tsrun {

namespace {

using nlohmann::json;

OptionTable decompose_options() {
  OptionTable table = {
      {.name = "method", .type = OptionType::text, .doc = "name of a joint plugin", .required = true},
      {.name = "members",
       .type = OptionType::list,
       .doc = "tables {name, solutions} of trainings of ts.train, one or several a task; or {name, model} for methods that need none; also "
              "which = \"best\" or \"last\" of the solutions' weights, and parameters where the model has no delta",
       .required = true},
      {.name = "tasks",
       .type = OptionType::list,
       .fallback = json::array(),
       .doc = "tasks of ts.task; where members have solutions, the tasks are theirs"},
      {.name = "heads",
       .type = OptionType::list,
       .fallback = json::array(),
       .doc = "trainings, one a task, whose pooler and head are used with every member; absent: each first solution's own"},
      {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "of first values, order of rows, mixing, dropout", .minimum = 0},
  };
  return table.include(joint_task_options());
}

OptionTable joint_method_options(Lab& lab, const json& arguments) {
  const json name = arguments.value("method", json());
  return name.is_string() ? lab.plugins().joint(name.get<std::string>()).options() : OptionTable();
}

/// A decomposition on its way: what the method is given, and the list that is written beside what it makes.
struct Assembly {
  JointInputs inputs;
  std::vector<JointSeat> seats;
  std::vector<Task> tasks;  ///< in the form that suits the model
  json listed = json::array();
};

/// Takes one solution's θ − θ0, and the weights that stay around it when it is its task's first.
void add_solution(Lab& lab, const JointRequestMember& asked, const json& solution, Setting& setting, JointMember& member, json& entry) {
  const Layout& layout = member.parameters.layout;
  const at::Tensor origin = flatten(setting.model.weights, layout);
  const std::string start = digest_of_start(origin);
  if (!member.origin.defined()) member.origin = origin, entry["start"] = start;
  if (entry.at("start") != start) {
    user_error(
        "member '{}': the solution of task '{}' (seed {}) started at {:.8}, but the first one at {:.8}: solutions of one member must share "
        "one "
        "start, so attach its delta with a seed (ts.adapt(model, {{ method = …, seed = … }}))",
        asked.name, setting.task.name, solution.at("seed").get<int64_t>(), start, entry.at("start").get<std::string>());
  }
  setting.model.weights = solution_weights(lab, solution, asked.which, *setting.model.family);
  member.deltas.back().push_back(flatten(setting.model.weights, layout) - origin);
  entry["solutions"].push_back({{"task", setting.task.name},
                                {"task_key", solution.at("task").at("key")},
                                {"key", solution.at("key")},
                                {"seed", solution.at("seed")},
                                {"score", solution.at(asked.which).at("score")}});
}

/// The model that one task's loss is computed with: at the task's first solution, or at θ0 where there is none.
Model frozen_model(Lab& lab, const JointRequest& request, size_t m, size_t t, int64_t seed, Assembly& to) {
  const JointRequestMember& asked = request.members[m];
  JointMember& member = to.inputs.members[m];
  std::optional<Setting> first;
  if (asked.solutions.empty()) {
    first = starting_setting(lab, request.tasks[t], {asked.model, seed});
    if (!member.origin.defined()) member.origin = flatten(first->model.weights, member.parameters.layout);
  } else {
    member.deltas.emplace_back();
    for (const json& solution : asked.solutions[t]) {
      Setting setting = starting_setting(lab, request.tasks[t], Start::of(solution));
      add_solution(lab, asked, solution, setting, member, to.listed[m]);
      if (!first) first = std::move(setting);
    }
  }
  if (m == 0) to.tasks.push_back(first->task);
  if (!request.heads.empty()) take_parts(lab, first->model, request.heads[t], "last", {"pooler", "head"});
  return std::move(first->model);
}

/// θ0 of a member that no task was asked for.
at::Tensor bare_origin(Lab& lab, const JointRequestMember& asked, const Layout& layout, int64_t seed) {
  Model model = model_of(asked.model, {}, Key::root(0));
  attach_deltas(lab.plugins(), asked.model, model, Key::root(static_cast<uint64_t>(seed)).split("init").split("delta"));
  return flatten(model.weights, layout);
}

Assembly assemble(Lab& lab, const JointRequest& request, int64_t seed) {
  Assembly to;
  for (size_t m = 0; m < request.members.size(); ++m) {
    const JointRequestMember& asked = request.members[m];
    to.inputs.members.push_back({asked.name, joint_parameters(lab, asked), {}, {}});
    JointMember& member = to.inputs.members.back();
    const Layout& layout = member.parameters.layout;
    to.listed.push_back({{"name", asked.name},
                         {"inside", "members/" + asked.name},
                         {"layout", layout.digest()},
                         {"numbers", layout.total()},
                         {"model", asked.model.at("key")},
                         {"deltas", asked.model.value("deltas", json::array())},
                         {"which", asked.which},
                         {"solutions", json::array()}});
    JointSeat seat{member.parameters, {}};
    for (size_t t = 0; t < request.tasks.size(); ++t) seat.models.push_back(frozen_model(lab, request, m, t, seed, to));
    if (!member.origin.defined()) member.origin = bare_origin(lab, asked, layout, seed);
    to.listed.back()["start"] = digest_of_start(member.origin);
    to.seats.push_back(std::move(seat));
  }
  return to;
}

void check_result(const JointResult& result, const JointRequest& request, const std::string& method) {
  if (result.decoders.size() != request.members.size())
    internal_error("'{}' made {} decoders for {} members", method, result.decoders.size(), request.members.size());
  for (const auto& decoder : result.decoders) {
    if (decoder->dims().size() != 1 || decoder->dim() != result.decoders[0]->dim())
      internal_error("'{}' made decoders of {} and {} dimensions, expected one vector for all", method, result.decoders[0]->dim(),
                     decoder->dim());
  }
}

json numbers_of(const at::Tensor& vector) {
  const at::Tensor host = vector.to(at::kCPU, at::kDouble).contiguous();
  return std::vector<double>(host.const_data_ptr<double>(), host.const_data_ptr<double>() + host.numel());
}

/// {task: {member: numbers}}, and their mean.
void add_codes(json& summary, const JointRequest& request, const std::function<json(size_t task, size_t member)>& code, json mean) {
  summary["codes"] = json::object();
  for (size_t t = 0; t < request.tasks.size(); ++t) {
    json& of_task = summary["codes"][request.tasks[t].at("name").get<std::string>()] = json::object();
    for (size_t m = 0; m < request.members.size(); ++m) of_task[request.members[m].name] = code(t, m);
  }
  summary["mean_code"] = std::move(mean);
}

struct Decomposition {
  const JointMethod& method;
  Options own;  ///< the method's
  Options given;
  JointRequest request;
  std::string title;
};

void save_result(const Decomposition& what, const JointResult& result, Assembly& assembly, const std::filesystem::path& out) {
  for (size_t m = 0; m < result.decoders.size(); ++m) {
    save_subspace(*result.decoders[m], what.method, what.own, out / "members" / what.request.members[m].name);
    assembly.listed[m]["bytes"] = result.decoders[m]->bytes_shipped();
  }
  const json list = {{"method", what.method.name()},
                     {"version", what.method.version()},
                     {"options", what.own.json()},
                     {"dim", result.decoders[0]->dim()},
                     {"members", assembly.listed}};
  write_durable(out / kSolutionsFile, list.dump(1) + "\n");
}

json decompose_into(Lab& lab, const Decomposition& what, const std::filesystem::path& out, const std::filesystem::path& work) {
  const int64_t seed = what.given.integer("seed");
  Assembly assembly = assemble(lab, what.request, seed);
  const Key key = Key::root(static_cast<uint64_t>(seed)).split("joint");
  std::unique_ptr<JointTasks> tasks;
  if (what.method.needs_tasks(what.own)) {
    const Options o = taken_options(joint_task_options(), what.given);
    tasks = make_joint_tasks({std::move(assembly.tasks), std::move(assembly.seats), o, key.split("order"), lab.settings().device});
  }
  assembly.inputs.tasks = tasks.get();
  assembly.inputs.key = key;
  assembly.inputs.work = work;
  assembly.inputs.title = what.title;
  const JointResult result = what.method.decompose(assembly.inputs, what.own);
  check_result(result, what.request, what.method.name());
  save_result(what, result, assembly, out);

  json summary = {{"dim", result.decoders[0]->dim()}, {"description", result.description}, {"member_list", assembly.listed}};
  if (result.codes.defined()) {
    const auto code = [&](size_t t, size_t m) { return numbers_of(result.codes[static_cast<int64_t>(t)][static_cast<int64_t>(m)]); };
    add_codes(summary, what.request, code, numbers_of(result.codes.mean(at::IntArrayRef{0, 1})));
  }
  return summary;
}

json planned_joint(const Decomposition& what) {
  const json dim = what.own.value("dim");
  const json zeros = std::vector<double>(dim.is_number_integer() ? dim.get<size_t>() : 0, 0.0);
  json summary = {{"dim", zeros.size()}, {"description", json::object()}, {"member_list", json::array()}};
  add_codes(
      summary, what.request, [&](size_t, size_t) { return zeros; }, zeros);
  return summary;
}

/// Each decoder as a basis of its own, inside the joint artifact.
void add_members(json& handle, const Decomposition& what) {
  const json list = handle.at("member_list");
  handle.erase("member_list");
  handle["members"] = json::object();
  for (size_t m = 0; m < what.request.members.size(); ++m) {
    const JointRequestMember& member = what.request.members[m];
    json basis = m < list.size() ? list[m] : json::object();
    basis.update({{"artifact", "subspace"},
                  {"stage", "joint"},
                  {"key", handle.at("key")},
                  {"inside", "members/" + member.name},
                  {"method", what.method.name()},
                  {"member", member.name},
                  {"dim", handle.at("dim")},
                  {"dims", json::array({handle.at("dim")})},
                  {"model", member.model}});
    if (handle.value("planned", false)) basis["planned"] = true;
    handle["members"][member.name] = basis;
  }
}

json run_decompose(Lab& lab, const Options& o) {
  const JointMethod& method = lab.plugins().joint(o.text("method"));
  Decomposition what{method, taken_options(method.options(), o), o, joint_request(o.value("members"), o.value("tasks"), o.value("heads")),
                     lab.title_of("decompose " + method.name(), o.integer("seed"))};
  for (const JointRequestMember& member : what.request.members) {
    if (member.solutions.empty() && method.needs_solutions(what.own))
      user_error("member '{}' has no solutions, which '{}' decomposes: give it trainings of ts.train", member.name, method.name());
  }
  if (what.request.tasks.empty() && method.needs_tasks(what.own))
    user_error("'{}' trains on tasks: give members solutions, or give option 'tasks'", method.name());

  json inputs = key_of(what.request);
  inputs.update({{"method", method.name()}, {"version", method.version()}, {"options", what.own.json()}, {"seed", o.integer("seed")}});
  inputs["tasks_read"] = taken_options(joint_task_options(), o).json();
  const StageKey key{"joint", {{"inputs", inputs}}};
  json handle = lab.stage(key, what.title, planned_joint(what),
                          [&](const auto& out, const auto& work) { return decompose_into(lab, what, out, work); });
  add_members(handle, what);
  handle["tasks"] = json::array();
  for (const json& task : what.request.tasks) handle["tasks"].push_back(task.at("name"));
  handle["method"] = method.name();
  return handle;
}

}  // namespace

std::vector<Operation> joint_operations() {
  return {{.name = "decompose",
           .doc =
               "Makes one space of few numbers that decodes into several parameter sets (an adapter, a LoRA, a prefix); each member of the "
               "result is a basis for ts.within, around the start that its solutions share.",
           .options = decompose_options(),
           .run = run_decompose,
           .more = joint_method_options,
           .named = true}};
}

}  // namespace tsrun
