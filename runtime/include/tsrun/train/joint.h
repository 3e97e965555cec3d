#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/task.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/joint.h"

#include <memory>
#include <vector>

namespace tsrun {

/// batch_size, rows_per_task, eval_split, eval_rows, precision, gradient_checkpointing, accepted_answers, and `reading_options()`.
OptionTable joint_task_options();

/// A member of a joint space over real models.
struct JointSeat {
  ParameterSet parameters;
  /// One a task: what `parameters` leaves out is held at these weights, so each task's own head comes with them.
  std::vector<Model> models;
};

struct JointTasksJob {
  std::vector<Task> tasks;         ///< in the form of `task_for`; the same tokenizer reads them for all members
  std::vector<JointSeat> members;  ///< at least one
  Options options;                 ///< resolved against `joint_task_options()`
  Key key = Key::root(0);          ///< of the order of rows
  at::Device device = at::kCPU;
};

/// Tasks whose losses are those of the models, frozen but for the members' weights. One epoch is every task's rows once: the first
/// rows_per_task of a longer task, a shorter one's again and again (0: as they are), all in one shuffled order. `weights` and `gradient`
/// lie on the host whatever the device. Weights of equal value are held once.
/// @throws Error(user) for tasks that a masked language model learns, whose hidden words only a training draws.
std::unique_ptr<JointTasks> make_joint_tasks(JointTasksJob job);

}  // namespace tsrun
