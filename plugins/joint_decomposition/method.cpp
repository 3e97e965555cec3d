#include "method.h"

#include "controls.h"
#include "decoder.h"
#include "training.h"

#include "tsrun/base/error.h"
#include "tsrun/base/log.h"

#include <set>

namespace tsrun::joint_decomposition {
namespace {

void check_vector(const at::Tensor& vector, int64_t length, const std::string& what) {
  if (!vector.defined() || vector.numel() != length || vector.scalar_type() != at::kFloat || !vector.is_cpu() || !vector.is_contiguous())
    user_error("joint_decomposition: {} is not a float32 vector of {} numbers on the CPU", what, length);
}

void check_member(const JointMember& member, bool solutions, size_t tasks) {
  const ParameterSet& set = member.parameters;
  const int64_t length = set.layout.total();
  if (length == 0) user_error("joint_decomposition: '{}' has no parameters", member.name);
  if (set.groups.size() != 1 || set.groups[0].begin != 0 || set.groups[0].end != length)
    user_error(
        "joint_decomposition: the parameters of '{}' are cut into {} groups, but a decoder has one over all of them (groups = \"whole\")",
        member.name, set.groups.size());
  check_vector(member.origin, length, fmt::format("the start of '{}'", member.name));
  if (!solutions) return;
  if (member.deltas.size() != tasks)
    user_error("joint_decomposition: '{}' has solutions of {} tasks, expected {}", member.name, member.deltas.size(), tasks);
  for (size_t t = 0; t < tasks; ++t) {
    if (member.deltas[t].empty()) user_error("joint_decomposition: '{}' has no solution of task {}", member.name, t + 1);
    for (const at::Tensor& delta : member.deltas[t])
      check_vector(delta, length, fmt::format("a solution of '{}' on task {}", member.name, t + 1));
  }
}

void check_inputs(const JointInputs& inputs, bool solutions, bool tasks) {
  if (inputs.members.empty()) user_error("joint_decomposition: needs at least one member");
  if (tasks && !inputs.tasks) user_error("joint_decomposition: needs tasks to train on");
  const size_t count = tasks ? inputs.tasks->names().size() : inputs.members[0].deltas.size();
  if (solutions && count == 0) user_error("joint_decomposition: needs the solutions of at least one task");
  std::set<std::string> names;
  for (const JointMember& member : inputs.members) {
    if (!names.insert(member.name).second) user_error("joint_decomposition: two members are called '{}'", member.name);
    check_member(member, solutions, count);
  }
}

/// Members of unequal length are no mistake, but not the paper's setting.
void report_unequal(const JointInputs& inputs) {
  std::set<int64_t> lengths;
  std::string shown;
  for (const JointMember& member : inputs.members) {
    lengths.insert(member.parameters.layout.total());
    shown += fmt::format("{}{} {}", shown.empty() ? "" : ", ", member.name, member.parameters.layout.total());
  }
  if (lengths.size() > 1) log_info("joint_decomposition: members of unequal size: {}", shown);
}

}  // namespace

OptionTable Method::options() const { return option_table(); }

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return Decoder::load(folder, parameters);
}

JointResult Method::decompose(const JointInputs& inputs, const Options& options) const {
  check_inputs(inputs, needs_solutions(options), needs_tasks(options));
  report_unequal(inputs);
  const Settings settings = settings_of(options);
  if (settings.fit == "random") return draw_decoders(inputs, settings);
  if (settings.fit == "pca") return joint_pca(inputs, settings);
  if (settings.crossed_encoder && inputs.members.size() < 2)
    user_error("joint_decomposition: crossed_encoder needs two members, found one");
  return train(inputs, settings);
}

}  // namespace tsrun::joint_decomposition
