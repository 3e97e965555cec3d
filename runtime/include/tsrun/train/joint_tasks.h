#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/task.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/joint_method.h"

#include <memory>
#include <vector>

namespace tsrun {

/// batch_size, rows_per_task, eval_split, eval_rows, precision, gradient_checkpointing, accepted_answers, and `text_options()`.
OptionTable joint_task_options();

/// The models of one member of a joint space.
struct MemberModels {
  ParameterSet parameters;    ///< the member's
  std::vector<Model> models;  ///< one a task, with the task's head; parameters outside `parameters` stay frozen
};

struct JointTasksJob {
  std::vector<Task> tasks;            ///< in the form of `task_for`; the same tokenizer reads them for all members
  std::vector<MemberModels> members;  ///< at least one
  Options options;                    ///< resolved against `joint_task_options()`
  Key key = Key::root(0);             ///< of the order of rows
  at::Device device = at::kCPU;
};

/// Tasks with the models' losses, of which only the members' weights are trained. An epoch has rows_per_task rows of every task, in one
/// shuffled order: long tasks are cut, short ones repeated; 0: each task as it is. `weights` and `gradient` are on the host, whatever the
/// device. Tensors of equal value are stored once.
/// @throws Error(user) for masked language modelling, whose masked tokens only a training draws.
std::unique_ptr<JointTasks> make_joint_tasks(JointTasksJob job);

}  // namespace tsrun
