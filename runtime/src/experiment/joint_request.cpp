#include "experiment/joint_request.h"

#include "experiment/handle_reader.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>

namespace tsrun::experiment {

namespace {

using nlohmann::json;

OptionTable member_options() {
  return {
      {.name = "name", .type = OptionType::text, .doc = "of letters, digits, - and _", .required = true},
      {.name = "solutions", .type = OptionType::list, .doc = "trainings of ts.train, one or several a task"},
      {.name = "which", .type = OptionType::choice, .fallback = "best", .doc = "weights of the solutions", .choices = {"best", "last"}},
      {.name = "model",
       .type = OptionType::artifact,
       .doc = "model of the parameters; absent: that of the solutions",
       .choices = {"model"}},
      {.name = "parameters",
       .type = OptionType::table,
       .doc = "parameters of the member; absent: the delta's, and the model's own that it trains"},
  };
}

bool good_name(const std::string& name) {
  const auto good = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), good);
}

/// The place of `task` in `tasks`, or its size.
size_t place_of(const TaskRef& task, const std::vector<TaskRef>& tasks) {
  const auto same = [&](const TaskRef& other) { return other.key == task.key; };
  return static_cast<size_t>(std::find_if(tasks.begin(), tasks.end(), same) - tasks.begin());
}

/// Tasks in the order in which they first appear.
std::vector<TaskRef> tasks_of(const std::vector<TrainingRef>& solutions) {
  std::vector<TaskRef> tasks;
  for (const TrainingRef& solution : solutions)
    if (place_of(solution.task, tasks) == tasks.size()) tasks.push_back(solution.task);
  return tasks;
}

/// A member as it is given, its solutions in one list.
struct GivenMember {
  JointRequestMember member;
  std::vector<TrainingRef> solutions;
};

void sort_by_task(GivenMember& given, const std::vector<TaskRef>& tasks, const std::string& first) {
  JointRequestMember& member = given.member;
  member.solutions.resize(tasks.size());
  for (const TrainingRef& solution : given.solutions) {
    const size_t task = place_of(solution.task, tasks);
    if (task == tasks.size())
      user_error("member '{}' has a solution of task '{}', which member '{}' lacks: every member needs the same tasks", member.name,
                 solution.task.name, first);
    member.solutions[task].push_back(solution);
  }
  for (size_t task = 0; task < tasks.size(); ++task) {
    if (member.solutions[task].empty())
      user_error("member '{}' has no solution of task '{}', which member '{}' has: every member needs the same tasks", member.name,
                 tasks[task].name, first);
  }
}

/// The model of a member, which its solutions must share.
ModelRef model_of_member(const std::optional<ModelRef>& given, const std::vector<TrainingRef>& solutions, const std::string& where) {
  if (!given && solutions.empty()) user_error("{}: expected 'solutions', or a 'model'", where);
  const ModelRef& model = given ? *given : solutions.front().model;
  for (const TrainingRef& solution : solutions) {
    if (solution.model.key != model.key)
      user_error("{}: solutions of different models ({:.8} and {:.8}), expected one model with one delta", where, model.key,
                 solution.model.key);
  }
  return model;
}

json parameters_of_member(const Options& given, const ModelRef& model, const std::string& where) {
  json parameters = given.value("parameters");
  if (parameters.is_null()) {
    if (!model.adapted()) user_error("{}: its model has no delta: name the 'parameters'", where);
    return parameters;
  }
  if (parameters.value("groups", json("whole")) != "whole") user_error("{}: a member is one vector: leave 'groups' out", where);
  parameters["groups"] = "whole";
  return parameters;
}

GivenMember member_of(const json& table, const std::string& where) {
  const Options given = member_options().resolve(table, where);
  GivenMember result;
  JointRequestMember& member = result.member;
  member.name = given.text("name");
  member.which = given.text("which");
  if (!good_name(member.name)) user_error("{}: the name '{}' has more than letters, digits, - and _", where, member.name);
  if (given.has("solutions")) result.solutions = trainings_in(given.value("solutions"), where + ": solutions");
  for (const TrainingRef& solution : result.solutions) require_kept(solution, member.which, where);
  member.model = model_of_member(given_ref<ModelRef>(given, "model"), result.solutions, where);
  member.parameters = parameters_of_member(given, member.model, where);
  return result;
}

/// Trainings by task, in the order of `tasks`.
std::vector<TrainingRef> heads_of(const json& given, const std::vector<TaskRef>& tasks) {
  std::vector<std::optional<TrainingRef>> found(tasks.size());
  for (const TrainingRef& head : trainings_in(given, "heads")) {
    require_kept(head, "last", "heads");
    const size_t task = place_of(head.task, tasks);
    if (task < tasks.size()) found[task] = head;
  }
  std::vector<TrainingRef> heads;
  for (size_t task = 0; task < tasks.size(); ++task) {
    if (!found[task]) user_error("heads: there is none of task '{}'", tasks[task].name);
    heads.push_back(*found[task]);
  }
  return heads;
}

/// The deltas' tensors, and the parameters of the model that they train.
ParameterSelection selection_of_deltas(Lab& lab, const ModelRef& model, const Family& family) {
  ParameterSelection selection{.parts = {"all"}, .layers = {}, .patterns = {}, .groups = "whole"};
  for (const ParameterInfo& info : family.parameters())
    if (info.part == Part::delta) selection.patterns.push_back(info.name);
  for (const auto& delta : attached(lab.plugins(), model.deltas, *plain_family(model, {})))
    for (const std::string& name : delta->trained_parameters()) selection.patterns.push_back(name);
  return selection;
}

void check_names(const JointRequest& request) {
  for (size_t i = 0; i < request.members.size(); ++i) {
    for (size_t k = 0; k < i; ++k)
      if (request.members[i].name == request.members[k].name) user_error("two members are called '{}'", request.members[i].name);
    const std::string &spec = request.members[i].model.spec, &first = request.members[0].model.spec;
    if (spec != first)
      user_error("member '{}' tunes \"{}\", but member '{}' tunes \"{}\": expected one model", request.members[i].name, spec,
                 request.members[0].name, first);
  }
  for (size_t i = 0; i < request.tasks.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (request.tasks[i].name == request.tasks[k].name) user_error("two tasks are called '{}'", request.tasks[i].name);
}

std::vector<GivenMember> members_in(const json& members) {
  std::vector<GivenMember> given;
  for (const json& member : members) given.push_back(member_of(member, fmt::format("members[{}]", given.size() + 1)));
  if (given.empty()) user_error("option 'members' is empty, expected at least one {{name, solutions}}");
  return given;
}

}  // namespace

JointRequest joint_request(const json& members, const json& tasks, const json& heads) {
  JointRequest request;
  std::vector<GivenMember> given = members_in(members);
  const auto solved = [](const GivenMember& member) { return !member.solutions.empty(); };
  const auto first = std::find_if(given.begin(), given.end(), solved);  // the tasks are those of its solutions
  if (first != given.end() && !tasks.empty()) user_error("option 'tasks' is given, but the tasks are those of the members' solutions");
  request.tasks =
      first != given.end() ? tasks_of(first->solutions) : refs_in<TaskRef>(tasks, "task", "option 'tasks': expected tasks of ts.task");
  for (GivenMember& member : given)
    if (solved(member)) sort_by_task(member, request.tasks, first->member.name);
  for (GivenMember& member : given) request.members.push_back(std::move(member.member));
  check_names(request);
  if (!heads.empty()) request.heads = heads_of(heads, request.tasks);
  return request;
}

json JointRequest::to_key() const {
  json key = {{"members", json::array()}, {"tasks", json::array()}, {"heads", json::array()}};
  for (const JointRequestMember& member : members) {
    json own = {{"name", member.name}, {"which", member.which}, {"model", member.model.identity()}, {"parameters", member.parameters}};
    own["solutions"] = json::array();
    for (const auto& of_task : member.solutions) {
      json seeds = json::array();
      for (const TrainingRef& solution : of_task) seeds.push_back(solution.identity());
      own["solutions"].push_back(seeds);
    }
    key["members"].push_back(own);
  }
  for (const TaskRef& task : tasks) key["tasks"].push_back(task.identity());
  for (const TrainingRef& head : heads) key["heads"].push_back(head.identity());
  return key;
}

StepsByTraining JointRequest::rests_on() const {
  StepsByTraining steps;
  for (const JointRequestMember& member : members)
    for (const auto& of_task : member.solutions)
      for (const TrainingRef& solution : of_task) steps.merge(with_own_steps(solution));
  for (const TrainingRef& head : heads) steps.merge(with_own_steps(head));
  return steps;
}

ParameterSet joint_parameters(Lab& lab, const JointRequestMember& member) {
  const auto family = family_of(lab.plugins(), member.model, {});
  if (member.parameters.is_null()) return select_parameters(*family, selection_of_deltas(lab, member.model, *family));
  return select_parameters(*family, parse_selection(member.parameters, "member '" + member.name + "': parameters"));
}

}  // namespace tsrun::experiment
