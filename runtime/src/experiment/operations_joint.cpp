#include "experiment/handle_reader.h"
#include "experiment/joint_assembly.h"
#include "experiment/taken_options.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/joint_tasks.h"

/// The operation `decompose`: one low-dimensional space for several parameter sets of a model.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

OptionTable decompose_options() {
  OptionTable table = {
      {.name = "method", .type = OptionType::text, .doc = "name of a joint plugin", .required = true},
      {.name = "members",
       .type = OptionType::list,
       .doc =
           "tables {name, solutions}: trainings of ts.train, one or several a task; or {name, model} for methods without solutions. Also "
           "which (\"best\" or \"last\" weights of the solutions), and parameters where the model has no delta",
       .required = true},
      {.name = "tasks", .type = OptionType::list, .fallback = json::array(), .doc = "tasks of ts.task, where no member has solutions"},
      {.name = "heads",
       .type = OptionType::list,
       .fallback = json::array(),
       .doc = "trainings, one a task: every member uses their pooler and head; absent: those of its first solution"},
      {.name = "seed",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "of initial values, order of rows, mixing and dropout",
       .minimum = 0},
  };
  return table.include(joint_task_options());
}

OptionTable joint_method_options(Lab& lab, const json& arguments) {
  const json name = arguments.value("method", json());
  return name.is_string() ? lab.plugins().joint(name.get<std::string>()).options() : OptionTable();
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

std::vector<double> numbers_of(const at::Tensor& vector) {
  const at::Tensor host = vector.to(at::kCPU, at::kDouble).contiguous();
  return {host.const_data_ptr<double>(), host.const_data_ptr<double>() + host.numel()};
}

/// Coordinates that the method found for its tasks.
struct JointCodes {
  std::map<std::string, std::map<std::string, std::vector<double>>> of_tasks;  ///< by task and member
  std::vector<double> mean;
};

struct JointSummary {
  int64_t dim = 0;
  json description = json::object();       ///< of the method
  std::vector<JointMemberRecord> members;  ///< none in a plan
  std::optional<JointCodes> codes;

  json to_json() const;
};

json JointSummary::to_json() const {
  json summary = {{"dim", dim}, {"description", description}, {"member_list", experiment::to_json(members)}};
  if (!codes) return summary;
  summary["codes"] = json::object();
  for (const auto& [task, members] : codes->of_tasks) summary["codes"][task] = members;
  summary["mean_code"] = codes->mean;
  return summary;
}

JointCodes codes_of(const JointRequest& request, const at::Tensor& codes) {
  JointCodes result;
  for (size_t t = 0; t < request.tasks.size(); ++t) {
    auto& of_task = result.of_tasks[request.tasks[t].name];
    for (size_t m = 0; m < request.members.size(); ++m)
      of_task[request.members[m].name] = numbers_of(codes[static_cast<int64_t>(t)][static_cast<int64_t>(m)]);
  }
  result.mean = numbers_of(codes.mean(at::IntArrayRef{0, 1}));
  return result;
}

struct Decomposition {
  const JointMethod& method;
  Options own;  ///< the method's
  Options given;
  JointRequest request;
  std::string title;

  StageKey key() const;
  JointSummary planned() const;
  int64_t own_steps() const;
};

StageKey Decomposition::key() const {
  json inputs = request.to_key();
  inputs.update({{"method", method.name()}, {"version", method.version()}, {"options", own.json()}, {"seed", given.integer("seed")}});
  inputs["tasks_read"] = taken_options(joint_task_options(), given).json();
  return {"joint", {{"inputs", inputs}}};
}

/// Of a method that has an option `dim`, with codes of that many zeros.
JointSummary Decomposition::planned() const {
  const json dim = own.value("dim");
  JointSummary summary;
  summary.dim = dim.is_number_integer() ? dim.get<int64_t>() : 0;
  const std::vector<double> zeros(static_cast<size_t>(summary.dim), 0.0);
  summary.codes.emplace();
  for (const TaskRef& task : request.tasks)
    for (const JointRequestMember& member : request.members) summary.codes->of_tasks[task.name][member.name] = zeros;
  summary.codes->mean = zeros;
  return summary;
}

/// Of a method that runs batches of the tasks through the models, with an option `steps`.
int64_t Decomposition::own_steps() const {
  const json steps = method.needs_tasks(own) && own.json().contains("steps") ? own.value("steps") : json();
  return steps.is_number_integer() ? steps.get<int64_t>() : 0;
}

void save_result(const Decomposition& what, const JointResult& result, Assembly& assembly, const std::filesystem::path& out) {
  for (size_t m = 0; m < result.decoders.size(); ++m) {
    save_subspace(*result.decoders[m], what.method, what.own, out / assembly.records[m].inside);
    assembly.records[m].bytes = result.decoders[m]->bytes_shipped();
  }
  write_joint_solutions(out, what.method, what.own, result.decoders[0]->dim(), assembly.records);
}

JointSummary decompose_into(Lab& lab, const Decomposition& what, const std::filesystem::path& out, const std::filesystem::path& work) {
  const int64_t seed = what.given.integer("seed");
  Assembly assembly = assemble(lab, what.request, seed);
  const Key key = Key::root(static_cast<uint64_t>(seed)).split("joint");
  std::unique_ptr<JointTasks> tasks;
  if (what.method.needs_tasks(what.own)) {
    const Options o = taken_options(joint_task_options(), what.given);
    tasks = make_joint_tasks({std::move(assembly.tasks), std::move(assembly.member_models), o, key.split("order"), lab.settings().device});
  }
  assembly.inputs.tasks = tasks.get();
  assembly.inputs.key = key;
  assembly.inputs.work = work;
  assembly.inputs.title = what.title;
  const JointResult result = what.method.decompose(assembly.inputs, what.own);
  check_result(result, what.request, what.method.name());
  save_result(what, result, assembly, out);

  JointSummary summary{.dim = result.decoders[0]->dim(), .description = result.description, .members = assembly.records, .codes = {}};
  if (result.codes.defined()) summary.codes = codes_of(what.request, result.codes);
  return summary;
}

/// A space as `Lab::stage` returns it.
struct JointSpaceRef : ArtifactRef {
  std::vector<json> records;  ///< one a member, for recipes; none in a plan
  int64_t dim = 0;

  static JointSpaceRef from_stage(const json& stage);
};

JointSpaceRef JointSpaceRef::from_stage(const json& stage) {
  auto space = ref_to<JointSpaceRef>(stage);
  HandleReader reader(std::move(space.facts), "joint");
  space.records = reader.take<std::vector<json>>("member_list");
  space.dim = reader.take<int64_t>("dim");
  space.facts = std::move(reader).rest();
  return space;
}

/// The decoder of member `m` as a basis of its own, inside the joint artifact.
BasisRef member_basis(const JointSpaceRef& space, const Decomposition& what, size_t m) {
  const JointRequestMember& member = what.request.members[m];
  BasisRef basis;
  basis.kind = "subspace";
  basis.stage = space.kind;
  basis.key = space.key;
  basis.inside = "members/" + member.name;
  basis.planned = space.planned;
  basis.method = what.method.name();
  basis.member = member.name;
  basis.dim = space.dim;
  basis.model = member.model;
  if (m < space.records.size()) basis.facts = space.records[m];
  basis.facts["dims"] = json::array({space.dim});
  basis.rests_on = what.request.rests_on();
  if (const int64_t steps = what.own_steps(); steps > 0) basis.rests_on[space.key] = steps;
  return basis;
}

json handle_of(const JointSpaceRef& space, const Decomposition& what) {
  json handle = space.to_json();
  handle.update({{"dim", space.dim}, {"method", what.method.name()}, {"members", json::object()}, {"tasks", json::array()}});
  for (size_t m = 0; m < what.request.members.size(); ++m)
    handle["members"][what.request.members[m].name] = member_basis(space, what, m).to_json();
  for (const TaskRef& task : what.request.tasks) handle["tasks"].push_back(task.name);
  return handle;
}

json run_decompose(Lab& lab, const Options& o) {
  const JointMethod& method = lab.plugins().joint(o.text("method"));
  const Decomposition what{method, taken_options(method.options(), o), o,
                           joint_request(o.value("members"), o.value("tasks"), o.value("heads")),
                           lab.title_of("decompose " + method.name(), o.integer("seed"))};
  for (const JointRequestMember& member : what.request.members) {
    if (member.solutions.empty() && method.needs_solutions(what.own))
      user_error("member '{}' has no solutions, which '{}' decomposes: give it trainings of ts.train", member.name, method.name());
  }
  if (what.request.tasks.empty() && method.needs_tasks(what.own))
    user_error("'{}' trains on tasks: give members solutions, or give option 'tasks'", method.name());
  const json stage = lab.stage(what.key(), what.title, what.planned().to_json(),
                               [&](const auto& out, const auto& work) { return decompose_into(lab, what, out, work).to_json(); });
  return handle_of(JointSpaceRef::from_stage(stage), what);
}

}  // namespace

}  // namespace experiment

std::vector<Operation> joint_operations() {
  return {
      {.name = "decompose",
       .doc = "Makes one low-dimensional space that decodes into several parameter sets (an adapter, a LoRA, a prefix). Each member of the "
              "result is a basis for ts.within, at the initial weights that its solutions share.",
       .options = experiment::decompose_options(),
       .result = "joint",
       .run = experiment::run_decompose,
       .more = experiment::joint_method_options,
       .named = true}};
}

}  // namespace tsrun
