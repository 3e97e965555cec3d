#include "tsrun/train/train.h"

#include "train/metrics_log.h"
#include "train/session.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/data/metrics.h"
#include "tsrun/model/finite.h"
#include "tsrun/train/diverged.h"
#include "tsrun/train/effects.h"
#include "tsrun/train/loop.h"

#include <algorithm>
#include <chrono>

namespace tsrun {
namespace training {
namespace {

/// The fine-tuning of a session: its evaluations, the best of them, and the observers.
class FineTuning final : public LoopBody {
 public:
  explicit FineTuning(TrainJob& job) : job_(job), session_(job) {}

  TrainResult run() {
    if (const auto reach = session_.reach())
      for (const std::string& warning : reach->warnings()) log_warning("{}: {}", job_.title, warning);
    LoopSettings loop;
    loop.title = job_.title;
    loop.steps = session_.plan().steps();
    loop.work = job_.work;
    loop.identity = session_.identity();
    loop.checkpoint_every = session_.settings().checkpoint_every;
    const int64_t steps = run_loop(loop, *this);
    session_.require_acting_scope(steps);
    for (const auto& observer : job_.observers) observer->finished(session_.binding());
    return result(steps);
  }

  void begin(int64_t steps_done) override {
    metrics_.emplace(job_.work / "metrics.jsonl", std::move(records_));
    session_.compose();
    for (const auto& observer : job_.observers) observer->begin(session_.binding(), session_.plan().steps_per_epoch(), steps_done);
  }

  void step(int64_t step, Progress& /*progress*/) override {
    const auto begin = std::chrono::steady_clock::now();
    const StepReport report = session_.advance(step);
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    ++timed_steps_;
    tokens_ += report.tokens;
    passes_ += report.passes;
    forward_ += report.work.forward;
    backward_ += report.work.backward;
    loss_sum_ += report.loss;
    ++loss_count_;
    tell_observers(step + 1);
  }

  void evaluate_if_due(int64_t steps_done, Progress& progress) override {
    const bool made = !evaluations_.empty() && evaluations_.back().step == steps_done;
    if (steps_done > 0 && evaluation_due(steps_done) && !made) evaluate(steps_done, progress);
  }

  bool ended() const override {
    if (budget_spent()) return true;
    const int64_t patience = session_.settings().early_stop;
    return patience > 0 && best_.later >= patience;
  }

  void save(Checkpoint& checkpoint) const override {
    checkpoint.state = {{"records", metrics_->records()},
                        {"tokens", tokens_},
                        {"loss_sum", loss_sum_},
                        {"loss_count", loss_count_},
                        {"forward", forward_},
                        {"backward", backward_},
                        {"passes", {passes_.forward, passes_.backward}}};
    session_.save(checkpoint);
    add_tensors(checkpoint, "best.", best_values_);
    for (size_t i = 0; i < job_.observers.size(); ++i) add_tensors(checkpoint, prefix_of(i), job_.observers[i]->state());
  }

  void restore(const Checkpoint& checkpoint) override {
    records_ = checkpoint.state.at("records");
    tokens_ = checkpoint.state.at("tokens").get<int64_t>();
    loss_sum_ = checkpoint.state.at("loss_sum").get<double>();
    loss_count_ = checkpoint.state.at("loss_count").get<int64_t>();
    forward_ = checkpoint.state.value("forward", 0.0);
    backward_ = checkpoint.state.value("backward", 0.0);
    passes_ = {checkpoint.state.at("passes").at(0).get<int64_t>(), checkpoint.state.at("passes").at(1).get<int64_t>()};
    for (const auto& record : records_) add(Evaluation::from_json(record));
    session_.restore(checkpoint);
    for (const auto& [name, tensor] : tensors_under(checkpoint, "best.")) best_values_[name] = tensor.to(job_.device);
    for (size_t i = 0; i < job_.observers.size(); ++i) job_.observers[i]->restore(tensors_under(checkpoint, prefix_of(i)));
  }

 private:
  static std::string prefix_of(size_t observer) { return fmt::format("observer.{}.", observer); }

  void tell_observers(int64_t steps_done) {
    const StepDone done{steps_done, session_.plan().epoch_at(steps_done), session_.plan().ends_epoch(steps_done)};
    for (const auto& observer : job_.observers) observer->step_ended(session_.binding(), done);
  }

  bool budget_spent() const {
    const int64_t most = session_.settings().max_forward_passes;
    return most > 0 && passes_.in_forward_passes() >= most;
  }

  bool evaluation_due(int64_t steps_done) const {
    if (steps_done == session_.plan().steps() || budget_spent()) return true;
    const int64_t every = session_.settings().eval_every;
    return every == 0 ? session_.plan().ends_epoch(steps_done) : every > 0 && steps_done % every == 0;
  }

  /// @throws Diverged
  Evaluation finite_evaluation(int64_t steps_done) {
    try {
      return session_.evaluation(last_rows_.emplace());
    } catch (const NotFinite& error) {
      throw Diverged(error.what(), fmt::format("scores not finite after step {}", steps_done), steps_done);
    }
  }

  void evaluate(int64_t steps_done, Progress& progress) {
    Evaluation evaluation = finite_evaluation(steps_done);
    evaluation.step = steps_done;
    evaluation.epoch = session_.plan().epoch_at(steps_done);
    nlohmann::json record = evaluation.to_json();
    const double train_loss = loss_sum_ / static_cast<double>(std::max<int64_t>(1, loss_count_));
    record["train_loss"] = train_loss;
    record["forward_passes"] = passes_.forward;
    record["backward_passes"] = passes_.backward;
    loss_sum_ = 0;
    loss_count_ = 0;
    metrics_->append(record);
    const std::string& metric = job_.task->metrics.front();
    const bool counts = session_.settings().solves() || session_.settings().max_forward_passes > 0;
    progress.milestone(fmt::format(
        "epoch {:.3g}/{:.3g}{}  loss {:.4f}  {} {:.4f}", evaluation.epoch, session_.plan().epoch_at(session_.plan().steps()),
        counts ? fmt::format("  {} forward passes", passes_.in_forward_passes()) : "", train_loss, metric, evaluation.metrics.at(metric)));
    if (!add(std::move(evaluation))) return;
    best_values_ = session_.copied_values();
    best_rows_ = last_rows_;
  }

  /// Whether its first metric is the best so far.
  bool add(Evaluation evaluation) {
    const std::string& metric = job_.task->metrics.front();
    const double score = (higher_is_better(metric) ? 1 : -1) * evaluation.metrics.at(metric);
    evaluations_.push_back(std::move(evaluation));
    return best_.take(evaluations_.back().step, score);
  }

  TrainResult result(int64_t steps) {
    TrainResult result;
    result.evaluations = evaluations_;
    result.last = evaluations_.back();
    result.best = evaluations_[evaluations_.size() - 1 - static_cast<size_t>(best_.later)];
    result.last_rows = rows_behind(std::move(last_rows_));
    result.last_weights = session_.whole_weights();
    result.coordinates = session_.binding().coordinates();
    result.report = session_.report(steps, tokens_);
    result.report.evaluations = metrics_->records();
    result.report.forward_passes = passes_.forward;
    result.report.backward_passes = passes_.backward;
    result.report.forward_share = forward_ / static_cast<double>(std::max<int64_t>(1, steps));
    result.report.backward_share = backward_ / static_cast<double>(std::max<int64_t>(1, steps));
    result.step_seconds = seconds_ / static_cast<double>(std::max<int64_t>(1, timed_steps_));
    session_.take_values(best_values_);
    result.best_rows = rows_behind(std::move(best_rows_));
    result.best_weights = session_.whole_weights();
    result.best_coordinates = session_.binding().coordinates();
    return result;
  }

  /// Rows of an evaluation under the present weights, which a process before this one may have made.
  RowOutcomes rows_behind(std::optional<RowOutcomes> made) const {
    if (!made) session_.evaluation(made.emplace());
    return *std::move(made);
  }

  TrainJob& job_;
  Session session_;
  nlohmann::json records_ = nlohmann::json::array();  ///< of the checkpoint
  std::optional<MetricsLog> metrics_;                 ///< from the start of the loop on
  int64_t tokens_ = 0, loss_count_ = 0;
  double loss_sum_ = 0;
  double forward_ = 0, backward_ = 0;  ///< sums over steps of LayerWork
  Passes passes_;
  double seconds_ = 0;  ///< in steps of this process
  int64_t timed_steps_ = 0;
  std::vector<Evaluation> evaluations_;
  BestScore best_;
  std::optional<RowOutcomes> best_rows_, last_rows_;  ///< of this process
  NamedTensors best_values_;                          ///< of what is trained, at the best evaluation
};

}  // namespace

}  // namespace training

TrainResult train(TrainJob job) {
  const HeadSpec wanted = head_for(*job.task, job.model->family->model_kind()), &has = job.model->family->head();
  if (wanted.kind != has.kind || wanted.outputs != has.outputs)
    internal_error("train: a model with a {} head of {} outputs, but the task asks for {} and {}", name_of(has.kind), has.outputs,
                   name_of(wanted.kind), wanted.outputs);
  refuse_idle(idle_options(job.options, has, *job.task), job.options, *job.task);
  std::filesystem::create_directories(job.work);
  return training::FineTuning(job).run();
}

nlohmann::json TrainReport::to_json() const {
  nlohmann::json json = {{"binding", binding},
                         {"trainable", trainable},
                         {"degrees_of_freedom", degrees_of_freedom},
                         {"trainable_share", trainable_share},
                         {"bytes_shipped", bytes_shipped},
                         {"out_of_reach", out_of_reach},
                         {"optimizer_bytes", optimizer_bytes},
                         {"steps", steps},
                         {"steps_planned", steps_planned},
                         {"steps_per_epoch", steps_per_epoch},
                         {"tokens", tokens},
                         {"gradient_bytes", gradient_bytes},
                         {"evaluations", evaluations},
                         {"forward_passes", forward_passes},
                         {"backward_passes", backward_passes},
                         {"forward_share", forward_share},
                         {"backward_share", backward_share}};
  if (reach) json.update({{"reach_share", reach->share()}, {"reach", reach->to_json()}});
  if (failed_steps) json["failed_steps"] = *failed_steps;
  if (!plugins.is_null()) json["plugins"] = plugins;
  return json;
}

}  // namespace tsrun
