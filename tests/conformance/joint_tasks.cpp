#include "tsrun/plugin_testing/joint.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <limits>

namespace tsrun::plugin_testing {
namespace {

at::Tensor normals(Key key, int64_t count, double deviation) {
  at::Tensor result = at::empty({count}, at::kFloat);
  fill_normal(key, {result.mutable_data_ptr<float>(), static_cast<size_t>(count)}, 0, 0, static_cast<float>(deviation));
  return result;
}

}  // namespace

std::vector<JointMember> made_up_members(const std::vector<int64_t>& lengths, int64_t tasks, int64_t solutions) {
  std::vector<JointMember> members;
  for (size_t m = 0; m < lengths.size(); ++m) {
    JointMember member;
    member.name = std::string(1, static_cast<char>('a' + m));
    member.parameters.layout.add(member.name + ".weight", {lengths[m]});
    member.parameters.groups = {{"whole", 0, lengths[m]}};
    member.origin = normals(Key::root(1000 + m), lengths[m], 0.1);
    for (int64_t t = 0; t < tasks; ++t) {
      auto& of_task = member.deltas.emplace_back();
      for (int64_t s = 0; s < solutions; ++s)
        of_task.push_back(normals(Key::root(static_cast<uint64_t>(100 * t + 10 * s) + m), lengths[m], 0.3));
    }
    members.push_back(std::move(member));
  }
  return members;
}

QuadraticTasks::QuadraticTasks(const std::vector<JointMember>& members, Batches batches) : batches_(std::move(batches)) {
  for (const JointMember& member : members) {
    weights_.push_back(at::zeros_like(member.origin));
    gradients_.push_back(at::zeros_like(member.origin));
    auto& targets = targets_.emplace_back();
    for (const auto& solutions : member.deltas) targets.push_back((member.origin + solutions[0]).to(at::kDouble));
  }
  for (size_t t = 0; t < targets_[0].size(); ++t) names_.push_back("task " + std::to_string(t + 1));
}

double QuadraticTasks::loss(size_t member, const Rows& rows, Key dropout, double share) {
  ++losses_taken;
  if (losses_taken == stop_at) throw Error(stop_with, "stopped");
  if (losses_taken == broken_at) return std::numeric_limits<double>::quiet_NaN();
  at::Tensor error = error_of(member, rows);
  if (shake > 0) error += normals(dropout, error.numel(), shake).to(at::kDouble);
  gradients_[member] += (error * (share / static_cast<double>(error.numel()))).to(at::kFloat);
  return error.square().mean().item<double>() / 2;
}

double QuadraticTasks::score(size_t member, int64_t task) {
  if (!scripted.empty()) return scripted.at(scores_taken++);
  return -error_of(member, {task, {0}}).square().mean().item<double>();
}

double QuadraticTasks::loss_at(size_t member, int64_t task, const at::Tensor& theta) const {
  return (theta.to(at::kDouble) - targets_[member][static_cast<size_t>(task)]).square().mean().item<double>() / 2;
}

at::Tensor QuadraticTasks::error_of(size_t member, const Rows& rows) const {
  double shift = 0;
  for (const int64_t row : rows.rows) shift += 0.01 * static_cast<double>(row % 5) / static_cast<double>(rows.rows.size());
  return weights_[member].to(at::kDouble) - targets_[member][static_cast<size_t>(rows.task)] - shift;
}

}  // namespace tsrun::plugin_testing
