#pragma once

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/joint_method.h"

#include <cmath>
#include <limits>

namespace tsrun::joint_decomposition {

inline at::Tensor normals(uint64_t seed, int64_t count, double deviation) {
  at::Tensor result = at::empty({count}, at::kFloat);
  fill_normal(Key::root(seed), {result.mutable_data_ptr<float>(), static_cast<size_t>(count)}, 0, 0, static_cast<float>(deviation));
  return result;
}

/// Members of given lengths with solutions of a few tasks that need few directions, and no names but a, b, c …
inline std::vector<JointMember> made_up_members(const std::vector<int64_t>& lengths, int64_t tasks, int64_t solutions = 1) {
  std::vector<JointMember> members;
  for (size_t m = 0; m < lengths.size(); ++m) {
    JointMember member;
    member.name = std::string(1, static_cast<char>('a' + m));
    member.parameters.layout.add(member.name + ".weight", {lengths[m]});
    member.parameters.groups = {{"whole", 0, lengths[m]}};
    member.origin = normals(1000 + m, lengths[m], 0.1);
    for (int64_t t = 0; t < tasks; ++t) {
      auto& of_task = member.deltas.emplace_back();
      for (int64_t s = 0; s < solutions; ++s) of_task.push_back(normals(static_cast<uint64_t>(100 * t + 10 * s) + m, lengths[m], 0.3));
    }
    members.push_back(std::move(member));
  }
  return members;
}

/// The loss of a row is half the mean square distance from the task's solution, moved a little from row to row.
class QuadraticTasks final : public JointTasks {
 public:
  QuadraticTasks(const std::vector<JointMember>& members, std::vector<Rows> batch) : batch_(std::move(batch)) {
    for (const JointMember& member : members) {
      weights_.push_back(at::zeros_like(member.origin));
      gradients_.push_back(at::zeros_like(member.origin));
      auto& targets = targets_.emplace_back();
      for (const auto& solutions : member.deltas) targets.push_back((member.origin + solutions[0]).to(at::kDouble));
    }
    for (size_t t = 0; t < targets_[0].size(); ++t) names_.push_back("task " + std::to_string(t + 1));
  }
  const std::vector<std::string>& names() const override { return names_; }
  std::vector<Rows> batch(int64_t /*step*/) const override { return batch_; }
  int64_t steps_per_epoch() const override { return 1; }
  at::Tensor weights(size_t member) override { return weights_[member]; }
  at::Tensor gradient(size_t member) override { return gradients_[member]; }
  double loss(size_t member, const Rows& rows, Key /*dropout*/, double share) override {
    ++losses_taken;
    if (losses_taken == stop_at) throw Error(stop_with, "stopped");
    if (losses_taken == broken_at) return std::numeric_limits<double>::quiet_NaN();
    const at::Tensor error = error_of(member, rows);
    gradients_[member] += (error * (share / static_cast<double>(error.numel()))).to(at::kFloat);
    return error.square().mean().item<double>() / 2;
  }
  double score(size_t member, int64_t task) override {
    if (!scripted.empty()) return scripted.at(scores_taken++);
    return -error_of(member, {task, {0}}).square().mean().item<double>();
  }
  double loss_at(size_t member, int64_t task, const at::Tensor& theta) const {
    return (theta.to(at::kDouble) - targets_[member][static_cast<size_t>(task)]).square().mean().item<double>() / 2;
  }

  int64_t losses_taken = 0, stop_at = -1, broken_at = -1;
  ErrorKind stop_with = ErrorKind::interrupt;
  std::vector<double> scripted;  ///< scores in the order that they are asked for
  size_t scores_taken = 0;

 private:
  at::Tensor error_of(size_t member, const Rows& rows) const {
    double shift = 0;
    for (const int64_t row : rows.rows) shift += 0.01 * static_cast<double>(row % 5) / static_cast<double>(rows.rows.size());
    return weights_[member].to(at::kDouble) - targets_[member][static_cast<size_t>(rows.task)] - shift;
  }
  std::vector<Rows> batch_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> weights_, gradients_;
  std::vector<std::vector<at::Tensor>> targets_;
};

}  // namespace tsrun::joint_decomposition
