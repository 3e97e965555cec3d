#pragma once

#include "tsrun/tune/subspace.h"

#include <span>
#include <string>
#include <vector>

/// One space of few dimensions that decodes into several parameter sets: an adapter, a LoRA, a prefix (Yi et al., Findings of EMNLP 2022).
namespace tsrun {

/// One way of tuning the model, and what it learnt on each training task.
struct JointMember {
  std::string name;         ///< "adapter"
  ParameterSet parameters;  ///< one group; lengths of members may differ
  at::Tensor origin;        ///< θ0, float32 [parameters.layout.total()]: the one start of all its solutions
  /// θ − θ0 of task t's solutions (several: other seeds), float32; the same number of tasks in every member. Empty where a method needs
  /// none.
  std::vector<std::vector<at::Tensor>> deltas;
};

/// Losses and gradients of the tasks at a member's weights. The model is frozen; gradients flow through it.
class JointTasks {
 public:
  virtual ~JointTasks() = default;
  virtual const std::vector<std::string>& names() const = 0;  ///< of the training tasks
  /// The examples of one step, those of one task together. A function of `step` alone.
  struct Rows {
    int64_t task = 0;
    std::vector<int64_t> rows;
  };
  virtual std::vector<Rows> batch(int64_t step) const = 0;
  virtual int64_t steps_per_epoch() const = 0;

  /// The flat float32 vector [N] that `loss` and `score` read member `m`'s weights from. Write θ here.
  virtual at::Tensor weights(size_t member) = 0;
  /// Mean loss of `rows` under the weights written, dropout on under `dropout`; adds `share` times its gradient to gradient(member).
  virtual double loss(size_t member, const Rows& rows, Key dropout, double share) = 0;
  virtual at::Tensor gradient(size_t member) = 0;  ///< flat float32 [N]; `loss` adds to it, the caller clears it
  /// The first metric of `task` on (a fixed part of) its dev split under the weights written, dropout off.
  virtual double score(size_t member, int64_t task) = 0;
};

struct JointInputs {
  std::vector<JointMember> members;
  JointTasks* tasks = nullptr;  ///< null where a method needs none
  Key key = Key::root(0);
  /// Folder for checkpoints of the method, kept until the stage commits. Empty: none are kept.
  std::filesystem::path work;
  std::string title;  ///< for the progress display
};

struct JointResult {
  std::vector<std::unique_ptr<Subspace>> decoders;  ///< one a member, all of the same single dimension d: θ = θ0 + expand(z)
  at::Tensor codes;            ///< float32 [tasks, members, d]: where each solution lies; undefined where none are known
  nlohmann::json description;  ///< losses, distances, scores at fixed points, over the steps
};

/// The plugin kind `joint`. Each decoder is a subspace that `load` reads.
class JointMethod : public SubspaceMaker {
 public:
  virtual bool needs_solutions(const Options& options) const = 0;
  virtual bool needs_tasks(const Options& options) const = 0;
  /// @throws Error(user) when options contradict the inputs; Error(run) on a non-finite loss; Error(interrupt) after keeping its state.
  virtual JointResult decompose(const JointInputs& inputs, const Options& options) const = 0;
};

}  // namespace tsrun
