#pragma once

#include "tensor_map.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/linalg/rows.h"
#include "tsrun/tune/joint_method.h"

#include <cmath>
#include <csignal>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

/// Made-up members and tasks for this plugin's tests.
namespace tsrun::shared_vector {

inline at::Tensor normals(uint64_t seed, int64_t count) {
  at::Tensor result = at::empty({count}, at::kFloat);
  fill_normal(Key::root(seed), floats(result));
  return result;
}

/// In a fixed order, on any number of threads.
inline double product(const at::Tensor& a, const at::Tensor& b) {
  return dot_products(Rows{{a.const_data_ptr()}, RowType::float32, a.numel()}, floats(b))[0];
}

inline ParameterSet two_tensors(int64_t size) {
  ParameterSet set;
  set.layout.add("a.weight", {size - 3}).add("a.bias", {3});
  set.groups = {{"whole", 0, size}};
  return set;
}

/// Every row of every task pulls a member's weights to a point of its own; "dropout" shakes the points.
class Pulls final : public JointTasks {
 public:
  explicit Pulls(std::vector<int64_t> sizes) {
    for (const int64_t size : sizes) {
      weights_.push_back(at::zeros({size}, at::kFloat));
      gradients_.push_back(at::zeros({size}, at::kFloat));
    }
  }
  const std::vector<std::string>& names() const override { return names_; }
  std::vector<Rows> batch(int64_t step) const override { return {{0, {step, step + 1}}, {1, {step}}}; }
  int64_t steps_per_epoch() const override { return 10; }
  at::Tensor weights(size_t member) override { return weights_[member]; }
  at::Tensor gradient(size_t member) override { return gradients_[member]; }
  double score(size_t member, int64_t task) override {
    return scores.empty() ? -distance(member, task) : scores[scored_++ / (2 * weights_.size()) % scores.size()];
  }
  double loss(size_t member, const Rows& rows, Key dropout, double share) override {
    if (++calls == stop_at) std::raise(SIGINT);
    if (calls == throw_at) throw Error(ErrorKind::interrupt, "stopped in a pass");
    if (calls == break_at) return std::numeric_limits<double>::quiet_NaN();
    at::Tensor shaken = at::empty_like(weights_[member]);
    fill_normal(dropout, floats(shaken), 0, 0, 0.01f);
    shaken.add_(weights_[member]).sub_(point(member, rows.task)).mul_(1 + 0.01 * static_cast<double>(rows.rows[0] % 3));
    gradients_[member].add_(shaken, share);
    return 0.5 * product(shaken, shaken);
  }
  int64_t calls = 0, stop_at = -1, throw_at = -1, break_at = -1;
  std::vector<double> scores;  ///< of one evaluation after another; by distance when empty

 private:
  at::Tensor point(size_t member, int64_t task) const {
    return normals(100 + 10 * member + static_cast<uint64_t>(task), weights_[member].numel()) * 0.1 + 0.3;
  }
  double distance(size_t member, int64_t task) const {
    const at::Tensor difference = weights_[member] - point(member, task);
    return std::sqrt(product(difference, difference));
  }

  std::vector<std::string> names_ = {"sentiment", "topic"};
  std::vector<at::Tensor> weights_, gradients_;
  size_t scored_ = 0;
};

inline JointInputs inputs_for(Pulls& tasks, const std::vector<int64_t>& sizes, const std::filesystem::path& work = {}) {
  JointInputs inputs;
  const std::vector<std::string> names = {"adapter", "prefix", "full"};
  for (size_t m = 0; m < sizes.size(); ++m)
    inputs.members.push_back({names[m], two_tensors(sizes[m]), normals(60 + m, sizes[m]) * 0.1, {}});
  inputs.tasks = &tasks;
  inputs.key = Key::root(9);
  inputs.work = work;
  inputs.title = "test";
  return inputs;
}

}  // namespace tsrun::shared_vector
