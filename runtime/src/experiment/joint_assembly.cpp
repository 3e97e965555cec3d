#include "experiment/joint_assembly.h"

#include "experiment/stored.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun::experiment {

namespace {

/// Adds one solution's θ − θ0 to its member, and loads its weights into `loaded`.
void add_solution(Lab& lab, const JointRequestMember& asked, const TrainingRef& solution, TaskModel& loaded, JointMember& member,
                  JointMemberRecord& record) {
  const Layout& layout = member.parameters.layout;
  const at::Tensor origin = flatten(loaded.model.weights, layout);
  const std::string start = digest_of(origin);
  if (!member.origin.defined()) member.origin = origin, record.start = start;
  if (record.start != start) {
    user_error(
        "member '{}': the solution of task '{}' (seed {}) started at {:.8}, but the first one at {:.8}: solutions of one member must share "
        "one "
        "start, so attach its delta with a seed (ts.adapt(model, {{ method = …, seed = … }}))",
        asked.name, loaded.task.name, solution.seed, start, record.start);
  }
  loaded.model.weights = weights_with_solution(lab, solution, asked.which, loaded.model);
  member.deltas.back().push_back(flatten(loaded.model.weights, layout) - origin);
  record.solutions.push_back({.task = loaded.task.name,
                              .task_key = solution.task.key,
                              .key = solution.key,
                              .seed = solution.seed,
                              .score = solution.score(asked.which)});
}

/// The model of one task's loss: at the task's first solution, or at θ0 where there is none.
Model frozen_model(Lab& lab, const JointRequest& request, size_t m, size_t t, int64_t seed, Assembly& to) {
  const JointRequestMember& asked = request.members[m];
  JointMember& member = to.inputs.members[m];
  std::optional<TaskModel> first;
  if (asked.solutions.empty()) {
    first = initial_task_model(lab, request.tasks[t], {asked.model, seed});
    if (!member.origin.defined()) member.origin = flatten(first->model.weights, member.parameters.layout);
  } else {
    member.deltas.emplace_back();
    for (const TrainingRef& solution : asked.solutions[t]) {
      TaskModel loaded = initial_task_model(lab, request.tasks[t], InitialWeights::of(solution));
      add_solution(lab, asked, solution, loaded, member, to.records[m]);
      if (!first) first = std::move(loaded);
    }
  }
  if (m == 0) to.tasks.push_back(first->task);
  if (!request.heads.empty()) take_parts(lab, first->model, {request.heads[t]}, "last", {"pooler", "head"});
  return std::move(first->model);
}

JointMemberRecord record_of(const JointRequestMember& asked, const Layout& layout) {
  JointMemberRecord record;
  record.name = asked.name;
  record.inside = "members/" + asked.name;
  record.layout = layout.digest();
  record.numbers = layout.total();
  record.model = asked.model.key;
  record.deltas = asked.model.deltas;
  record.which = asked.which;
  return record;
}

}  // namespace

Assembly assemble(Lab& lab, const JointRequest& request, int64_t seed) {
  Assembly to;
  for (size_t m = 0; m < request.members.size(); ++m) {
    const JointRequestMember& asked = request.members[m];
    to.inputs.members.push_back({asked.name, joint_parameters(lab, asked), {}, {}});
    JointMember& member = to.inputs.members.back();
    const Layout& layout = member.parameters.layout;
    to.records.push_back(record_of(asked, layout));
    MemberModels seat{member.parameters, {}};
    for (size_t t = 0; t < request.tasks.size(); ++t) seat.models.push_back(frozen_model(lab, request, m, t, seed, to));
    if (!member.origin.defined()) member.origin = flatten(starting_weights(lab.plugins(), asked.model, seed), layout);  // no tasks
    to.records.back().start = digest_of(member.origin);
    to.member_models.push_back(std::move(seat));
  }
  return to;
}

}  // namespace tsrun::experiment
