#include "tsrun/train/joint_tasks.h"
#include "train/backward.h"
#include "train/member_state.h"
#include "train/streams.h"
#include "tsrun/base/error.h"
#include "tsrun/train/effects.h"
#include "tsrun/train/settings.h"
#include "tsrun/train/train.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace tsrun {
namespace training {
namespace {

/// A task's rows as the models read them.
struct TaskRows {
  EncodedSplit train;
  EvaluationSet evaluation_set;
};

/// Refuses options without effect on any of the tasks.
void require_read_by_one(const Options& options, const std::vector<Task>& tasks) {
  std::vector<Idle> first;
  for (const Task& task : tasks) {
    std::vector<Idle> idle = idle_text_options(options, task);
    if (task.kind != TaskKind::text_to_text && options.text("accepted_answers") != "random")
      idle.push_back({"accepted_answers", "a " + std::string(name_of(task.kind)) + " has no accepted answers"});
    const auto is_idle = [&](const Idle& found) {
      return std::any_of(idle.begin(), idle.end(), [&](const Idle& other) { return other.option == found.option; });
    };
    if (&task == &tasks.front()) first = idle;
    std::erase_if(first, [&](const Idle& found) { return !is_idle(found); });
  }
  if (!first.empty()) refuse_idle(first, options, tasks.front());
}

TaskRows task_rows_of(const Task& task, const Model& model, const Options& options) {
  if (model.family->head().kind == HeadKind::masked_lm) {
    user_error("task '{}': hidden words are drawn by a training alone; a joint space takes tasks with labels, values or answers",
               task.name);
  }
  TaskRows rows;
  rows.train = encode_training_rows(model, task, options);
  if (has_continued_rows(rows.train))
    user_error(
        "task '{}': a joint space draws blocks in any order, and the model carries its state from block to block; expected carry_state = "
        "false",
        task.name);
  rows.evaluation_set = make_evaluation_set(model, task, options.text("eval_split"), options);
  return rows;
}

class ModelTasks final : public JointTasks {
 public:
  explicit ModelTasks(JointTasksJob job)
      : job_(std::move(job)), precision_(precision_of(job_.options)), gradient_checkpointing_(job_.options.flag("gradient_checkpointing")) {
    if (job_.members.empty() || job_.tasks.empty())
      internal_error("joint tasks: {} members and {} tasks", job_.members.size(), job_.tasks.size());
    require_read_by_one(job_.options, job_.tasks);
    SharedTensors shared(job_.device);
    for (const MemberModels& given : job_.members) {
      if (given.models.size() != job_.tasks.size())
        internal_error("joint tasks: a member has models for {} of {} tasks", given.models.size(), job_.tasks.size());
      members_.emplace_back(given, job_.device, shared);
    }
    const int64_t per_task = job_.options.integer("rows_per_task");
    for (size_t t = 0; t < job_.tasks.size(); ++t) {
      limit_rows(job_.tasks[t], "train", per_task);
      limit_rows(job_.tasks[t], job_.options.text("eval_split"), job_.options.integer("eval_rows"));
      task_rows_.push_back(task_rows_of(job_.tasks[t], job_.members[0].models[t], job_.options));
      names_.push_back(job_.tasks[t].name);
      first_.push_back(first_.back() + (per_task > 0 ? per_task : task_rows_.back().train.epoch_size()));
    }
    sampler_.emplace(job_.key, first_.back(), job_.options.integer("batch_size"));
    job_.members.clear();
  }

  const std::vector<std::string>& names() const override { return names_; }
  int64_t steps_per_epoch() const override { return sampler_->batches_per_epoch(); }
  at::Tensor weights(size_t member) override { return members_.at(member).weights; }
  at::Tensor gradient(size_t member) override { return members_.at(member).gradient; }

  std::vector<Rows> batch(int64_t step) const override {
    std::map<int64_t, std::vector<int64_t>> by_task;
    const Key answers = job_.key.split("answers").split(static_cast<uint64_t>(step / steps_per_epoch()));
    for (const int64_t place : sampler_->batch(step / steps_per_epoch(), step % steps_per_epoch())) {
      const auto next = std::upper_bound(first_.begin(), first_.end(), place);
      const int64_t task = next - first_.begin() - 1;
      const EncodedSplit& rows = task_rows_[static_cast<size_t>(task)].train;
      by_task[task].push_back(rows.row_at((place - *(next - 1)) % rows.epoch_size(), answers.split(static_cast<uint64_t>(place))));
    }
    std::vector<Rows> batch;
    for (auto& [task, rows] : by_task) batch.push_back({task, std::move(rows)});
    return batch;
  }

  double loss(size_t member, const Rows& rows, Key dropout, double share) override {
    const at::AutoGradMode grad(true);
    MemberState& models = members_.at(member);
    const FrozenModel& model = models.by_task.at(static_cast<size_t>(rows.task));
    const EncodedSplit& split = task_rows_[static_cast<size_t>(rows.task)].train;
    const ForwardOptions forward = training_pass(dropout, precision_, gradient_checkpointing_);
    models.push();
    const PackedBatch batch = to_device(pack_batch(split, rows.rows), model.family->head(), job_.device);
    const double loss = backpropagate(task_loss(model.family->head(), model.family->forward(model.weights, batch, forward), batch), share);
    models.pull();
    return loss;
  }

  double score(size_t member, int64_t task) override {
    MemberState& models = members_.at(member);
    const FrozenModel& model = models.by_task.at(static_cast<size_t>(task));
    models.push();
    const Evaluation evaluation = evaluate(*model.family, model.weights, task_rows_[static_cast<size_t>(task)].evaluation_set, job_.device);
    return evaluation.metrics.at(job_.tasks[static_cast<size_t>(task)].metrics.front());
  }

 private:
  JointTasksJob job_;
  Precision precision_;
  bool gradient_checkpointing_;
  std::vector<MemberState> members_;
  std::vector<TaskRows> task_rows_;
  std::vector<std::string> names_;
  std::vector<int64_t> first_ = {0};        ///< where each task's rows begin in the union
  mutable std::optional<Sampler> sampler_;  ///< remembers the epoch's order
};

}  // namespace

}  // namespace training

OptionTable joint_task_options() {
  OptionTable table = {
      {.name = "batch_size", .type = OptionType::integer, .fallback = 8, .doc = "Rows of one step.", .minimum = 1, .maximum = 65536},
      {.name = "rows_per_task",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Training rows of each task in an epoch: longer tasks are cut, shorter ones repeated; 0: as they are.",
       .minimum = 0,
       .unit = "rows"},
      {.name = "eval_split", .type = OptionType::text, .fallback = "dev", .doc = "Split that scores are of."},
      {.name = "eval_rows",
       .type = OptionType::integer,
       .fallback = 240,
       .doc = "Rows of each task that scores are of, always the same; 0: all.",
       .minimum = 0,
       .unit = "rows"},
  };
  const OptionTable trainer = train_options();
  for (const char* name : {"precision", "gradient_checkpointing", "accepted_answers"}) table.add(*trainer.find(name));
  return table.include(text_options());
}

std::unique_ptr<JointTasks> make_joint_tasks(JointTasksJob job) { return std::make_unique<training::ModelTasks>(std::move(job)); }

}  // namespace tsrun
