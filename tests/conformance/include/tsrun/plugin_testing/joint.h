#pragma once

#include "tsrun/base/error.h"
#include "tsrun/plugin_testing/subspace.h"
#include "tsrun/tune/joint_method.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

/// What every joint method must keep, as tests: its decoders are subspaces, and a decomposition that trains on tasks goes on after a stop
/// as if there had been none. The rest is as in subspace.h.
///
///     const bool added = tsrun::plugin_testing::add_joint_case("my_space", {{"dim", 4}, {"steps", 12}});
namespace tsrun::plugin_testing {

/// Another set of options under which `method` must pass; of few steps where it trains. Call it before main (from an initialiser). Always
/// true.
bool add_joint_case(const std::string& method, const nlohmann::json& options);

/// The methods that the linked plugin registers.
const std::vector<std::unique_ptr<JointMethod>>& joint_methods();
const JointMethod& joint_method(const std::string& name);

/// Members of given lengths, called a, b, c …, each with `solutions` solutions of each of `tasks` tasks.
std::vector<JointMember> made_up_members(const std::vector<int64_t>& lengths, int64_t tasks, int64_t solutions = 1);

/// The loss of a row is half the mean square distance from the first solution of its task, moved a little from row to row.
class QuadraticTasks final : public JointTasks {
 public:
  using Batches = std::function<std::vector<Rows>(int64_t step)>;
  /// Refers to nothing of `members` later.
  QuadraticTasks(const std::vector<JointMember>& members, Batches batches);
  const std::vector<std::string>& names() const override { return names_; }
  std::vector<Rows> batch(int64_t step) const override { return batches_(step); }
  int64_t steps_per_epoch() const override { return 1; }
  at::Tensor weights(size_t member) override { return weights_[member]; }
  at::Tensor gradient(size_t member) override { return gradients_[member]; }
  double loss(size_t member, const Rows& rows, Key dropout, double share) override;
  double score(size_t member, int64_t task) override;
  double loss_at(size_t member, int64_t task, const at::Tensor& theta) const;

  double shake = 0;  ///< deviation of the targets' noise, which the key of the dropout mask draws
  int64_t losses_taken = 0;
  int64_t stop_at = -1;    ///< the loss of this number (from 1) ends in an error of kind `stop_with`
  int64_t broken_at = -1;  ///< the loss of this number is no number
  ErrorKind stop_with = ErrorKind::interrupt;
  std::vector<double> scripted;  ///< scores in the order that they are asked for; by distance when empty
  size_t scores_taken = 0;

 private:
  at::Tensor error_of(size_t member, const Rows& rows) const;

  Batches batches_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> weights_, gradients_;
  std::vector<std::vector<at::Tensor>> targets_;
};

/// A decomposition of `joint_inputs`, with tasks where the options need them.
JointResult decompose(const JointMethod& method, const SmallInputs& inputs, const nlohmann::json& options = nlohmann::json::object(),
                      uint64_t seed = 1);

}  // namespace tsrun::plugin_testing
