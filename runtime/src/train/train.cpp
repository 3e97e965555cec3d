#include "tsrun/train/train.h"

#include "train/masking.h"
#include "train/metrics_log.h"
#include "train/plan.h"
#include "train/step.h"
#include "train/vocabulary.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/log.h"
#include "tsrun/data/metrics.h"
#include "tsrun/train/effects.h"
#include "tsrun/train/run_state.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tsrun {
namespace {

using Clock = std::chrono::steady_clock;

std::optional<Masking> masking_of(const TrainJob& job, const TrainSettings& settings) {
  if (job.model->family->head().kind != HeadKind::masked_lm) return std::nullopt;
  return Masking(*job.model->tokenizer, settings.mlm_probability, job.key.split("masking"),
                 job.model->family->config().at("vocab_size").get<int64_t>());
}

/// Whether a mask lies on an embedding: its shape is that of the whole vocabulary.
bool masks_embeddings(const TrainJob& job) {
  if (!job.scope) return false;
  const auto& all = job.model->family->parameters();
  return std::any_of(all.begin(), all.end(), [&](const ParameterInfo& info) {
    return info.kind == ParameterKind::embedding && job.scope->entry(info).mask.defined();
  });
}

bool looks_at_vocabulary(const TrainJob& job) {
  return masks_embeddings(job) ||
         std::any_of(job.plugins.begin(), job.plugins.end(), [](const StepPlugin& plugin) { return plugin.wants.whole_vocabulary; });
}

std::optional<ReachedVocabulary> reached_vocabulary(const TrainJob& job, const TrainSettings& settings, const EncodedSplit& train,
                                                    const EncodedSplit& exam) {
  if (settings.needs_whole_tensors() || looks_at_vocabulary(job)) return std::nullopt;
  return ReachedVocabulary::find(*job.model, job.tune, {&train, &exam});
}

/// When a checkpoint falls due: every N steps, or so rarely that writing them takes at most a twentieth of the time.
class CheckpointClock {
 public:
  explicit CheckpointClock(int64_t every) : every_(every) {}
  bool due(int64_t step) const { return every_ > 0 ? step % every_ == 0 : Clock::now() - last_ > pause_; }
  void wrote(Clock::time_point began) {
    last_ = Clock::now();
    pause_ = std::max<Clock::duration>(std::chrono::seconds(20), 20 * (last_ - began));
  }

 private:
  int64_t every_;
  Clock::time_point last_ = Clock::now();
  Clock::duration pause_ = std::chrono::seconds(20);
};

/// One run from its first step, or from a checkpoint, to its end.
class Run {
 public:
  explicit Run(TrainJob& job)
      : job_(job),
        settings_(TrainSettings::from(job.options)),
        train_(encode_training_rows(*job.model, *job.task, job.options)),
        exam_(make_exam(*job.model, *job.task, job.eval_split, job.options)),
        vocabulary_(reached_vocabulary(job, settings_, train_, exam_.rows)),
        family_(vocabulary_ ? *vocabulary_->family() : *job.model->family),
        binding_(family_, vocabulary_ ? vocabulary_->reduced(job.model->weights) : job.model->weights, job.tune, job.key.split("tune"),
                 job.device),
        plan_(settings_, train_.drawn(), job.key.split("data order")),
        plugins_(job.plugins, job.scope, {family_, binding_.origin(), job.key.split("plugins"), plan_.steps(), plan_.steps_per_epoch()}),
        stepper_(family_, train_, binding_, settings_, job.device, plugins_, masking_of(job, settings_)),
        checkpoints_(settings_.checkpoint_every),
        identity_(make_identity()) {
    if (binding_.groups().empty()) user_error("nothing is trained: every part is frozen and there is no subspace");
    if (job.scope) job.scope->check(family_, "scope");
    if (job.scope && !job.scope->restricts(family_)) user_error("the scope freezes nothing and masks nothing");
    if (job.scope) stepper_.rescope(*job.scope);
    if (!vocabulary_) return;
    vocabulary_->renumber(train_);
    vocabulary_->renumber(exam_.rows);
    for (const auto& observer : job.observers) observer->set_whole([this](const Weights& weights) { return vocabulary_->whole(weights); });
  }

  TrainResult finish() {
    const auto saved = newest_run_state(job_.work, identity_);
    if (saved) restore(*saved);
    metrics_.emplace(job_.work / "metrics.jsonl", saved ? saved->state.at("records") : nlohmann::json::array());
    binding_.compose();
    for (const auto& observer : job_.observers) observer->begin(binding_, plan_.steps_per_epoch(), step_);
    Progress progress(job_.title, plan_.steps(), "steps");
    progress.advance(step_);
    if (evaluation_missing()) evaluate_now(progress);
    while (step_ < plan_.steps() && !stopped_early()) {
      pause_if_interrupted();
      advance(progress);
    }
    require_acting_scope();
    for (const auto& observer : job_.observers) observer->finished(binding_);
    return result();
  }

 private:
  nlohmann::json make_identity() const {
    std::vector<uint32_t> key = {job_.key.words()[0], job_.key.words()[1]};
    nlohmann::json plugins = nlohmann::json::array();
    for (const StepPlugin& plugin : job_.plugins) plugins.push_back({{"name", plugin.name}, {"identity", plugin.identity}});
    return {{"task", job_.task->name},
            {"task_digest", job_.task->digest},
            {"eval_split", job_.eval_split},
            {"options", job_.options.json()},
            {"tune", binding_.describe()},
            {"key", key},
            {"observers", job_.observers.size()},
            {"plugins", plugins},
            {"scope", job_.scope ? to_json(*job_.scope) : nlohmann::json()}};
  }

  void advance(Progress& progress) {
    const Key key = job_.key.split("step").split(static_cast<uint64_t>(step_));
    const int64_t warmup = warmup_steps(settings_.warmup_ratio, plan_.steps());
    const double factor = schedule_factor(settings_.scheduler, step_, plan_.steps(), warmup);
    const StepReport report = stepper_.run(when(), rows_of_step(), key, factor);
    ++step_;
    tokens_ += report.tokens;
    loss_sum_ += report.loss;
    ++loss_count_;
    progress.advance();
    tell_observers();
    if (evaluation_due()) evaluate_now(progress);
    if (checkpoints_.due(step_) && step_ < plan_.steps()) save();
  }

  Stepper::When when() const { return {step_, plan_.epoch_of(step_), plan_.steps(), plan_.epoch_at(step_), plan_.ends_epoch(step_ + 1)}; }

  /// Selectors that do nothing, and masks that meet no gradient, would pass for a method that was tried.
  void require_acting_scope() const {
    const ScopeUse use = binding_.scope_use();
    if (plugins_.chooses() && !use.restricted && !use.masked)
      user_error("{}: the selector froze nothing and masked nothing in {} steps", job_.title, step_);
    if (use.masked && !use.acted)
      run_error("{}: the mask never acted: all gradients outside it were zero in {} steps, so the training is one without a mask",
                job_.title, step_);
  }

  std::vector<std::vector<int64_t>> rows_of_step() {
    auto batches = plan_.micro_batches(step_);
    const Key answers = job_.key.split("answers").split(static_cast<uint64_t>(plan_.epoch_of(step_)));
    for (auto& batch : batches)
      for (int64_t& place : batch) place = train_.row_at(place, answers.split(static_cast<uint64_t>(place)));
    return batches;
  }

  void tell_observers() {
    const double epoch = plan_.epoch_at(step_);
    for (const auto& observer : job_.observers) observer->step_ended(binding_, step_, epoch);
    if (!plan_.ends_epoch(step_)) return;
    for (const auto& observer : job_.observers) observer->epoch_ended(binding_, step_, epoch);
  }

  bool evaluation_due() const {
    if (step_ == plan_.steps()) return true;
    const int64_t every = settings_.eval_every;
    return every == 0 ? plan_.ends_epoch(step_) : every > 0 && step_ % every == 0;
  }

  double score(const Evaluation& evaluation) const { return evaluation.metrics.at(job_.task->metrics.front()); }

  /// An evaluation may take long: one that is interrupted is made again by the run that goes on.
  Evaluation evaluate_or_save() {
    try {
      return evaluate(family_, binding_.weights(), exam_, job_.device);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupt) save();
      throw;
    }
  }

  bool evaluation_missing() const { return step_ > 0 && evaluation_due() && (evaluations_.empty() || evaluations_.back().step != step_); }

  void evaluate_now(Progress& progress) {
    Evaluation evaluation = evaluate_or_save();
    evaluation.step = step_;
    evaluation.epoch = plan_.epoch_at(step_);
    nlohmann::json record = evaluation.to_json();
    const double train_loss = loss_sum_ / static_cast<double>(std::max<int64_t>(1, loss_count_));
    record["train_loss"] = train_loss;
    loss_sum_ = 0;
    loss_count_ = 0;
    metrics_->append(record);
    evaluations_.push_back(evaluation);
    if (best_index() == evaluations_.size() - 1) keep_best();
    progress.milestone(fmt::format("epoch {:.3g}/{:.3g}  loss {:.4f}  {} {:.4f}", evaluation.epoch, plan_.epoch_at(plan_.steps()),
                                   train_loss, job_.task->metrics.front(), score(evaluation)));
  }

  /// The earliest of the best first metrics.
  size_t best_index() const {
    const double sign = higher_is_better(job_.task->metrics.front()) ? 1 : -1;
    const auto best = std::max_element(evaluations_.begin(), evaluations_.end(),
                                       [&](const auto& a, const auto& b) { return sign * score(a) < sign * score(b); });
    return static_cast<size_t>(best - evaluations_.begin());
  }

  void keep_best() {
    for (const auto& group : binding_.groups()) best_[group.name] = group.value.detach().clone();
  }

  bool stopped_early() const {
    const int64_t patience = settings_.early_stop;
    return patience > 0 && !evaluations_.empty() && static_cast<int64_t>(evaluations_.size() - 1 - best_index()) >= patience;
  }

  void pause_if_interrupted() {
    if (!interrupted()) return;
    save();
    check_interrupt();
  }

  void save() {
    const auto began = Clock::now();
    Checkpoint run;
    run.step = step_;
    run.state = {{"records", metrics_->records()}, {"tokens", tokens_}, {"loss_sum", loss_sum_}, {"loss_count", loss_count_}};
    for (const auto& group : binding_.groups()) run.tensors["value." + group.name] = group.value;
    for (const auto& [name, tensor] : stepper_.optimizer().state()) run.tensors["optimizer." + name] = tensor;
    for (const auto& [name, tensor] : best_) run.tensors["best." + name] = tensor;
    for (size_t i = 0; i < job_.observers.size(); ++i) {
      for (const auto& [name, tensor] : job_.observers[i]->state()) run.tensors[fmt::format("observer.{}.{}", i, name)] = tensor;
    }
    for (const auto& [name, tensor] : plugins_.tensors()) run.tensors["plugin." + name] = tensor;
    const ScopeUse use = binding_.scope_use();
    run.state["scopes"] = plugins_.scopes();
    run.state["scope_use"] = {use.restricted, use.masked, use.acted};
    run.state["scope_changes"] = use.changes;
    save_run_state(job_.work, identity_, run);
    checkpoints_.wrote(began);
  }

  void restore(const Checkpoint& run) {
    const auto part = [&](const std::string& prefix) {
      std::map<std::string, at::Tensor> tensors;
      for (const auto& [name, tensor] : run.tensors) {
        if (name.starts_with(prefix)) tensors[name.substr(prefix.size())] = tensor.clone();
      }
      return tensors;
    };
    step_ = run.step;
    tokens_ = run.state.at("tokens").get<int64_t>();
    loss_sum_ = run.state.at("loss_sum").get<double>();
    loss_count_ = run.state.at("loss_count").get<int64_t>();
    for (const auto& record : run.state.at("records")) evaluations_.push_back(Evaluation::from_json(record));
    plugins_.restore(part("plugin."), run.state.at("scopes"));
    set_values(part("value."));
    if (const auto scope = plugins_.current()) stepper_.rescope(*scope);
    const auto use = run.state.at("scope_use").get<std::vector<bool>>();
    binding_.restore_scope_use({run.state.at("scope_changes").get<int64_t>(), use.at(0), use.at(1), use.at(2)});
    stepper_.optimizer().restore(part("optimizer."));
    for (const auto& [name, tensor] : part("best.")) best_[name] = tensor.to(job_.device);
    for (size_t i = 0; i < job_.observers.size(); ++i) job_.observers[i]->restore(part(fmt::format("observer.{}.", i)));
    log_info("{}: continues at step {} of {}", job_.title, step_, plan_.steps());
  }

  void set_values(const std::map<std::string, at::Tensor>& values) {
    const at::NoGradGuard no_grad;
    for (auto& group : binding_.groups()) group.value.copy_(values.at(group.name));
  }

  Weights whole_snapshot() const { return vocabulary_ ? vocabulary_->whole(binding_.snapshot()) : binding_.snapshot(); }

  /// Counts are those of the model: rows that no text reaches are trainable too, they only never move.
  nlohmann::json describe() const {
    const int64_t unreached = vocabulary_ ? vocabulary_->numbers_left_out() : 0;
    nlohmann::json description = {{"binding", binding_.describe()},
                                  {"trainable", binding_.trainable() + unreached},
                                  {"degrees_of_freedom", binding_.degrees_of_freedom() + unreached},
                                  {"bytes_shipped", binding_.bytes_shipped() + static_cast<int64_t>(sizeof(float)) * unreached},
                                  {"out_of_reach", unreached},
                                  {"steps", step_},
                                  {"steps_planned", plan_.steps()},
                                  {"steps_per_epoch", plan_.steps_per_epoch()},
                                  {"tokens", tokens_}};
    if (!plugins_.empty()) description["plugins"] = plugins_.report();
    return description;
  }

  TrainResult result() {
    TrainResult result;
    result.evaluations = evaluations_;
    result.last = evaluations_.back();
    result.best = evaluations_[best_index()];
    result.last_weights = whole_snapshot();
    result.coordinates = binding_.coordinates();
    result.description = describe();
    set_values(best_);
    binding_.compose();
    result.best_weights = whole_snapshot();
    result.best_coordinates = binding_.coordinates();
    return result;
  }

  TrainJob& job_;
  TrainSettings settings_;
  EncodedSplit train_;
  Exam exam_;
  std::optional<ReachedVocabulary> vocabulary_;
  const Family& family_;
  Binding binding_;
  StepPlan plan_;
  StepPlugins plugins_;
  Stepper stepper_;
  CheckpointClock checkpoints_;
  nlohmann::json identity_;
  std::optional<MetricsLog> metrics_;  ///< from the start of the loop on
  int64_t step_ = 0, tokens_ = 0, loss_count_ = 0;
  double loss_sum_ = 0;
  std::vector<Evaluation> evaluations_;
  std::map<std::string, at::Tensor> best_;  ///< trained values of the best evaluation, by group
};

}  // namespace

TrainResult train(TrainJob job) {
  const HeadSpec wanted = head_for(*job.task, job.model->family->reader()), &has = job.model->family->head();
  if (wanted.kind != has.kind || wanted.outputs != has.outputs)
    internal_error("train: a model with a {} head of {} outputs, but the task asks for {} and {}", name_of(has.kind), has.outputs,
                   name_of(wanted.kind), wanted.outputs);
  refuse_idle(idle_options(job.options, has, *job.task), job.options, *job.task);
  std::filesystem::create_directories(job.work);
  return Run(job).finish();
}

}  // namespace tsrun
