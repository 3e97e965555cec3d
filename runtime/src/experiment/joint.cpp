#include "experiment/joint.h"

#include "experiment/start.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/tune/flat_buffer.h"

#include <algorithm>

namespace tsrun {

namespace {

using nlohmann::json;

OptionTable member_options() {
  return {
      {.name = "name", .type = OptionType::text, .doc = "of the member: letters, digits, - and _", .required = true},
      {.name = "solutions", .type = OptionType::list, .doc = "trainings of ts.train, one or several a task"},
      {.name = "which", .type = OptionType::choice, .fallback = "best", .doc = "of their weights", .choices = {"best", "last"}},
      {.name = "model", .type = OptionType::artifact, .doc = "whose parameters; absent: the solutions'", .choices = {"model"}},
      {.name = "parameters",
       .type = OptionType::table,
       .doc = "which parameters; absent: the delta's, and those of the model that it trains"},
  };
}

bool good_name(const std::string& name) {
  const auto good = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), good);
}

void require_training(const json& handle, const std::string& where) {
  if (!handle.is_object() || handle.value("artifact", json()) != "train" || !handle.contains("task"))
    user_error("{}: expected trainings of ts.train", where);
}

void require_kept(const json& solution, const std::string& which, const std::string& where) {
  const std::string keep = solution.value("keep", "all");
  if (keep == "none" || (keep == "last" && which == "best"))
    user_error("{}: a solution of task '{}' (seed {}) kept no '{}' weights: train it with keep = \"all\"", where,
               solution.at("task").value("name", ""), solution.value("seed", int64_t{0}), which);
}

/// The place of `task` in `tasks`, or its size.
size_t place_of(const json& task, const std::vector<json>& tasks) {
  const auto same = [&](const json& other) { return other.at("key") == task.at("key"); };
  return static_cast<size_t>(std::find_if(tasks.begin(), tasks.end(), same) - tasks.begin());
}

std::string task_name(const json& task) { return task.value("name", task.at("key").get<std::string>()); }

/// Tasks in the order in which they first appear.
std::vector<json> tasks_of(const json& solutions) {
  std::vector<json> tasks;
  for (const json& solution : solutions) {
    if (place_of(solution.at("task"), tasks) == tasks.size()) tasks.push_back(solution.at("task"));
  }
  return tasks;
}

void sort_by_task(JointRequestMember& member, const json& solutions, const std::vector<json>& tasks, const std::string& first) {
  member.solutions.resize(tasks.size());
  for (const json& solution : solutions) {
    const size_t task = place_of(solution.at("task"), tasks);
    if (task == tasks.size())
      user_error("member '{}' has a solution of task '{}', which member '{}' lacks: every member needs the same tasks", member.name,
                 task_name(solution.at("task")), first);
    member.solutions[task].push_back(solution);
  }
  for (size_t task = 0; task < tasks.size(); ++task) {
    if (member.solutions[task].empty())
      user_error("member '{}' has no solution of task '{}', which member '{}' has: every member needs the same tasks", member.name,
                 task_name(tasks[task]), first);
  }
}

/// The member without its solutions sorted, which needs to know the tasks.
JointRequestMember member_of(const Options& given, const std::string& where) {
  JointRequestMember member{given.text("name"), given.text("which"), given.value("model"), given.value("parameters"), {}};
  if (!good_name(member.name)) user_error("{}: the name '{}' has more than letters, digits, - and _", where, member.name);
  const json solutions = given.has("solutions") ? given.value("solutions") : json::array();
  for (const json& solution : solutions) {
    require_training(solution, where + ": solutions");
    require_kept(solution, member.which, where);
    const json& model = solution.at("model");
    if (member.model.is_null()) member.model = model;
    if (model.at("key") != member.model.at("key"))
      user_error("{}: solutions of different models ({:.8} and {:.8}), expected one model with one delta", where,
                 member.model.at("key").get<std::string>(), model.at("key").get<std::string>());
  }
  if (member.model.is_null()) user_error("{}: expected 'solutions', or a 'model'", where);
  if (member.parameters.is_null()) {
    if (!member.model.contains("deltas")) user_error("{}: its model has no delta: name the 'parameters'", where);
    return member;
  }
  if (member.parameters.value("groups", json("whole")) != "whole") user_error("{}: a member is one vector: leave 'groups' out", where);
  member.parameters["groups"] = "whole";
  return member;
}

/// Trainings by task, in the order of `tasks`.
std::vector<json> heads_of(const json& given, const std::vector<json>& tasks) {
  std::vector<json> heads(tasks.size());
  for (const json& head : given) {
    require_training(head, "heads");
    require_kept(head, "last", "heads");
    const size_t task = place_of(head.at("task"), tasks);
    if (task < tasks.size()) heads[task] = head;
  }
  for (size_t task = 0; task < tasks.size(); ++task)
    if (heads[task].is_null()) user_error("heads: there is none of task '{}'", task_name(tasks[task]));
  return heads;
}

/// The deltas' tensors, and the parameters of the model that they train.
ParameterSelection selection_of_deltas(Lab& lab, const json& model, const Family& family) {
  ParameterSelection selection{.parts = {"all"}, .layers = {}, .patterns = {}, .groups = "whole"};
  for (const ParameterInfo& info : family.parameters())
    if (info.part == Part::delta) selection.patterns.push_back(info.name);
  json plain = model;
  plain.erase("deltas");
  for (const auto& delta : deltas_of(lab.plugins(), model, *family_of(lab.plugins(), plain, {})))
    for (const std::string& name : delta->trained_parameters()) selection.patterns.push_back(name);
  return selection;
}

void check_names(const JointRequest& request) {
  for (size_t i = 0; i < request.members.size(); ++i) {
    for (size_t k = 0; k < i; ++k)
      if (request.members[i].name == request.members[k].name) user_error("two members are called '{}'", request.members[i].name);
    const json &spec = request.members[i].model.at("spec"), &first = request.members[0].model.at("spec");
    if (spec != first)
      user_error("member '{}' tunes {}, but member '{}' tunes {}: expected one model", request.members[i].name, spec.dump(),
                 request.members[0].name, first.dump());
  }
  for (size_t i = 0; i < request.tasks.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (task_name(request.tasks[i]) == task_name(request.tasks[k])) user_error("two tasks are called '{}'", task_name(request.tasks[i]));
}

}  // namespace

JointRequest joint_request(const json& members, const json& tasks, const json& heads) {
  JointRequest request;
  const json* first = nullptr;  // solutions that the tasks are those of
  std::string first_name;
  std::vector<json> solutions;
  for (const json& member : members) {
    const std::string where = fmt::format("members[{}]", solutions.size() + 1);
    const Options given = member_options().resolve(member, where);
    request.members.push_back(member_of(given, where));
    solutions.push_back(given.has("solutions") ? given.value("solutions") : json::array());
  }
  if (request.members.empty()) user_error("option 'members' is empty, expected at least one {{name, solutions}}");
  for (size_t i = 0; i < solutions.size() && !first; ++i)
    if (!solutions[i].empty()) first = &solutions[i], first_name = request.members[i].name;
  if (first && !tasks.empty()) user_error("option 'tasks' is given, but the tasks are those of the members' solutions");
  request.tasks = first ? tasks_of(*first) : tasks.get<std::vector<json>>();
  for (const json& task : request.tasks)
    if (!task.is_object() || task.value("artifact", json()) != "task") user_error("option 'tasks': expected tasks of ts.task");
  for (size_t i = 0; i < solutions.size(); ++i)
    if (!solutions[i].empty()) sort_by_task(request.members[i], solutions[i], request.tasks, first_name);
  check_names(request);
  if (!heads.empty()) request.heads = heads_of(heads, request.tasks);
  return request;
}

json key_of(const JointRequest& request) {
  json key = {{"members", json::array()}, {"tasks", json::array()}, {"heads", json::array()}};
  for (const JointRequestMember& member : request.members) {
    json own = {{"name", member.name}, {"which", member.which}, {"model", identity(member.model)}, {"parameters", member.parameters}};
    own["solutions"] = json::array();
    for (const auto& of_task : member.solutions) {
      json seeds = json::array();
      for (const json& solution : of_task) seeds.push_back(identity(solution));
      own["solutions"].push_back(seeds);
    }
    key["members"].push_back(own);
  }
  for (const json& task : request.tasks) key["tasks"].push_back(identity(task));
  for (const json& head : request.heads) key["heads"].push_back(identity(head));
  return key;
}

ParameterSet joint_parameters(Lab& lab, const JointRequestMember& member) {
  const auto family = family_of(lab.plugins(), member.model, {});
  if (member.parameters.is_null()) return select_parameters(*family, selection_of_deltas(lab, member.model, *family));
  return select_parameters(*family, parse_selection(member.parameters, "member '" + member.name + "': parameters"));
}

void check_joint_start(Lab& lab, const json& basis, const Subspace& subspace, const Model& model) {
  if (basis.value("stage", "") != "joint") return;
  const std::string path = (lab.store().get("joint", basis.at("key")).path / kSolutionsFile).string();
  const json list = read_json(path), members = list.is_object() ? list.value("members", json()) : json();
  const bool whole = std::all_of(members.begin(), members.end(), [](const json& member) {
    return member.is_object() && member.value("inside", json()).is_string() && member.contains("layout") && member.contains("start");
  });
  if (!members.is_array() || !whole) data_error("{}: lists no members of a joint space", path);
  const std::string inside = basis.at("inside");
  const auto own = std::find_if(members.begin(), members.end(), [&](const json& member) { return member.value("inside", "") == inside; });
  if (own == members.end() || own->at("layout") != subspace.parameters().layout.digest())
    data_error("{}: lists no decoder like that in '{}'", path, inside);
  const Layout& layout = subspace.parameters().layout;
  check_layout(layout, *model.family, "the basis");
  const std::string start = digest_of_start(flatten(model.weights, layout)), expected = own->at("start");
  if (start != expected) {
    user_error(
        "the weights of '{}' start as {:.8} here, but this space was made around the start {:.8}: attach the delta with the same seed in "
        "both "
        "(ts.adapt(model, {{ method = …, seed = … }}))",
        own->value("name", ""), start, expected);
  }
}

}  // namespace tsrun
