#pragma once

#include "network.h"

#include <functional>

namespace tsrun::joint_decomposition {

/// Σ_k narrow_k ⊗ wide_k: the gradient of one big matrix. `wide` points into the stepper's and the inputs' memory.
struct OuterProducts {
  std::vector<const float*> wide;
  SmallMatrix narrow;
};

struct StepGradients {
  std::vector<OuterProducts> decoders, encoders;  ///< by member; those of the small parameters are in the network's groups
};

/// Means over the examples of a step.
struct StepLosses {
  std::vector<double> task, reconstruction;  ///< by member; lengths of the reconstruction error, not multiplied by γ
  double distance = 0;                       ///< mean distance between codes of two members
  double total(const Settings& settings) const;
};

/// What one step works on: a function of (key, step).
struct StepPlan {
  struct Decoded {
    size_t task = 0;  ///< index into `tasks`
    JointTasks::Rows rows;
    double share = 0;             ///< of the step's examples
    std::vector<double> mixture;  ///< of the members' codes; empty without mixing
  };
  std::vector<Decoded> groups;
  std::vector<int64_t> tasks;                     ///< those that the groups are from, each once
  std::vector<double> shares;                     ///< of each task
  std::vector<std::vector<const float*>> deltas;  ///< [member][task]: the solution drawn
};
StepPlan plan_step(const JointInputs& inputs, const Settings& settings, int64_t step);

/// Writes `vector` where the tasks read member `m`'s weights.
void write_weights(JointTasks& tasks, size_t m, const at::Tensor& vector);

/// One step in two halves: `forward` asks the tasks and changes nothing that is trained, so whatever stops it leaves the state of the step
/// before; `update` moves everything at once.
class Stepper {
 public:
  Stepper(const JointInputs& inputs, const Settings& settings, Network& network);
  /// Decodes every member's mixtures and own codes, and takes losses and their gradients at the decoded weights. `step` from 0.
  /// @throws Error(run) naming step, member and task when a loss is not finite.
  StepLosses forward(int64_t step);
  void update();                 ///< one step of Adafactor from what `forward` found
  StepGradients gradients();     ///< the same gradients without a step; until the next `forward`
  int64_t vector_bytes() const;  ///< memory of the decoded weights and their gradients

 private:
  std::vector<float*> decode(size_t m);
  double reconstruct(size_t m, std::vector<float*>& vectors);
  double run_tasks(size_t m, std::vector<float*>& vectors);
  double code_distance(std::vector<SmallMatrix>* gradients) const;
  /// Gradients at the codes, then at the encoders' first layers; `product(m)` gives those at the decoder's activations.
  std::vector<SmallMatrix> backward(const std::function<SmallMatrix(size_t)>& product);

  const JointInputs& inputs_;
  const Settings& settings_;
  Network& network_;
  int64_t step_ = 0;
  StepPlan plan_;
  std::vector<Encoded> encoded_;                    ///< by member, rows are the plan's tasks
  std::vector<SmallMatrix> codes_, active_;         ///< by member: mixtures of the groups, then own codes of the tasks
  std::vector<at::Tensor> memory_;                  ///< by member, float32 [at least K, N]: decoded weights, then their gradients
  std::vector<std::vector<const float*>> vectors_;  ///< rows of `memory_` in use
};

}  // namespace tsrun::joint_decomposition
