#pragma once

#include "choices.h"
#include "decoder.h"

#include "tsrun/train/loop.h"
#include "tsrun/tune/joint_method.h"

#include <map>
#include <string>
#include <vector>

namespace tsrun::shared_vector {

/// Trains one vector I and the maps of all members together on the tasks' losses (Yi et al., 2022, as released: "hyper_PET"). A step passes
/// one batch through every member, sums their gradients on I, and moves I and every map's numbers by Adafactor, all from the same values.
/// Every number is a function of key, options, members and tasks, and of the step.
class Training final : public LoopBody {
 public:
  /// @throws Error(user) when options contradict the members.
  Training(const JointInputs& inputs, const Options& options);
  /// Goes on where an earlier call with the same work folder stopped.
  /// @throws Error(run) on a non-finite loss; Error(interrupt) after keeping the state.
  JointResult run();

  void step(int64_t step, Progress& progress) override;
  void evaluate_if_due(int64_t steps_done, Progress& progress) override;
  void save(Checkpoint& checkpoint) const override;
  void restore(const Checkpoint& checkpoint) override;

 private:
  double pass(size_t member);  ///< the loss; leaves the gradient with the tasks
  void write_weights(size_t member) const;
  void move();
  void evaluate();
  double member_score(size_t member, nlohmann::json& scores) const;
  std::map<std::string, at::Tensor> numbers() const;  ///< I and all members' maps; shares memory
  std::map<std::string, at::Tensor> state() const;    ///< these, Adafactor's means, and the best ones
  JointResult result();

  const JointInputs& inputs_;
  Schedule schedule_;
  nlohmann::json identity_;
  std::vector<std::unique_ptr<Decoder>> decoders_;
  at::Tensor vector_, vector_squares_;  ///< I and Adafactor's means, float32 [d]
  int64_t steps_done_ = 0, scored_at_ = 0;
  std::vector<double> losses_;  ///< by member, summed since the last scores
  nlohmann::json history_ = nlohmann::json::array();
  BestScore best_;
  std::map<std::string, at::Tensor> best_numbers_;
};

}  // namespace tsrun::shared_vector
