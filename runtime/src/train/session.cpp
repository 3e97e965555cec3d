#include "train/session.h"

#include "train/masking.h"
#include "train/solver.h"
#include "train/split_probe.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <numeric>

namespace tsrun::training {
namespace {

std::optional<Masking> masking_of(const TrainJob& job, const TrainSettings& settings) {
  if (job.model->family->head().kind != HeadKind::masked_lm) return std::nullopt;
  return Masking(*job.model->tokenizer, settings.mlm_probability, job.key.split("masking"),
                 job.model->family->config().at("vocab_size").get<int64_t>());
}

/// Whether a mask lies on an embedding: its shape is that of the whole vocabulary.
bool masks_embeddings(const TrainJob& job) {
  const auto& all = job.model->family->parameters();
  return std::any_of(all.begin(), all.end(), [&](const ParameterInfo& info) {
    return info.kind == ParameterKind::embedding && job.tune.scope.entry(info).mask.defined();
  });
}

bool looks_at_vocabulary(const TrainJob& job) {
  return masks_embeddings(job) ||
         std::any_of(job.plugins.begin(), job.plugins.end(), [](const StepPlugin& plugin) { return plugin.wants.whole_vocabulary; });
}

/// Renumbers the words of both splits where rows of the vocabulary are left out.
std::optional<ReachedVocabulary> use_reached_vocabulary(const TrainJob& job, const TrainSettings& settings, EncodedSplit& train,
                                                        EncodedSplit& evaluation_set) {
  if (settings.needs_whole_tensors() || looks_at_vocabulary(job)) return std::nullopt;
  auto reached = ReachedVocabulary::find(*job.model, job.tune, {&train, &evaluation_set});
  if (!reached) return std::nullopt;
  reached->renumber(train);
  reached->renumber(evaluation_set);
  return reached;
}

/// Tensors under names in their order.
NamedTensors numbered(const std::vector<at::Tensor>& tensors) {
  NamedTensors named;
  for (size_t i = 0; i < tensors.size(); ++i) named[fmt::format("{:06}", i)] = tensors[i];
  return named;
}

int64_t bytes_of(const NamedTensors& tensors) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

int64_t numbers_of(const Family& family) {
  int64_t numbers = 0;
  for (const ParameterInfo& info : family.parameters())
    numbers += std::accumulate(info.shape.begin(), info.shape.end(), int64_t{1}, std::multiplies<>());
  return numbers;
}

}  // namespace

Session::Session(TrainJob& job)
    : job_(job),
      settings_(TrainSettings::from(job.options)),
      train_(encode_training_rows(*job.model, *job.task, job.options)),
      evaluation_set_(make_evaluation_set(*job.model, *job.task, job.eval_split, job.options)),
      vocabulary_(use_reached_vocabulary(job, settings_, train_, evaluation_set_.rows)),
      family_(vocabulary_ ? *vocabulary_->family() : *job.model->family),
      plan_(settings_, train_.epoch_size(), job.key.split("data order"), has_continued_rows(train_)),
      binding_(family_, vocabulary_ ? vocabulary_->reduced(job.model->weights) : job.model->weights, tune_options(), job.key.split("tune"),
               job.device),
      probe_(make_split_probe(
          family_, [this]() -> const EncodedSplit& { return train_; }, masking_of(job, settings_), settings_.dropout, job.device, probed_)),
      plugins_(job.plugins, {family_, binding_.origin(), job.key.split("plugins"), plan_.steps(), plan_.steps_per_epoch(), probe_.get()}),
      stepper_(family_, train_, binding_, settings_, job.device, plugins_, masking_of(job, settings_)) {
  if (binding_.groups().empty()) user_error("nothing is trained: every part is frozen and there is no subspace");
  plugins_.require_owners_at_work(binding_.groups(), job.title);
  check_solver(job, settings_, binding_, has_continued_rows(train_));
  stepper_.check(job.tune.scope);
  stepper_.keep_prefixes_in({job.cache_memory, job.work / "prefix.float32"});
  if (!vocabulary_) return;
  for (const auto& observer : job.observers) observer->set_whole([this](const Weights& weights) { return vocabulary_->whole(weights); });
}

double Session::scheduled_steps() const {
  int64_t taken = plan_.steps();
  if (const int64_t most = settings_.max_forward_passes; most > 0) {
    const int64_t passes = 3 * settings_.gradient_accumulation_steps;  // of a step, a backward pass counted as two
    taken = std::min(taken, (most + passes - 1) / passes);
  }
  return schedule_sum(settings_.scheduler, plan_.steps(), warmup_steps(settings_.warmup_ratio, plan_.steps()), taken);
}

TuneOptions Session::tune_options() const {
  TuneOptions tune = tune_for(job_.tune, settings_);
  tune.owned = owned_parameters(job_.plugins, family_);
  if (!job_.reach) return tune;
  if (settings_.optimizer != OptimizerKind::adamw || settings_.solves())
    user_error("lr = \"reach\" counts on AdamW, whose steps are bounded by the learning rate; found another optimiser (optim)");
  const double steps = scheduled_steps();
  for (double distance : job_.distances) tune.lr_groups.push_back(steps > 0 ? *job_.reach * distance / steps : 0);
  if (std::none_of(tune.lr_groups.begin(), tune.lr_groups.end(), [](double lr) { return lr > 0; }))
    user_error("lr = \"reach\": the update to be reached has no length, or the schedule no step; expected a learning rate as a number");
  return tune;
}

std::optional<ReachReport> Session::reach() const {
  if (job_.distances.empty() || settings_.optimizer != OptimizerKind::adamw || settings_.solves()) return std::nullopt;
  ReachReport report{.names = {}, .distances = job_.distances, .ways = {}};
  const auto rates = binding_.lr_of_coordinates();
  for (size_t g = 0; g < rates.size(); ++g) {
    report.names.push_back(job_.tune.subspace->parameters().groups[g].name);
    report.ways.push_back(rates[g] * scheduled_steps());
  }
  return report;
}

nlohmann::json Session::identity() const {
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
          {"scope", to_json(job_.tune.scope)}};
}

StepReport Session::advance(int64_t step) {
  const Key key = job_.key.split("step").split(static_cast<uint64_t>(step));
  const int64_t warmup = warmup_steps(settings_.warmup_ratio, plan_.steps());
  const Stepper::When when{step, plan_.epoch_of(step), plan_.steps(), plan_.epoch_at(step), plan_.ends_epoch(step + 1)};
  const auto batches = rows_of(step);
  StepReport report = stepper_.run(when, batches, key, schedule_factor(settings_.scheduler, step, plan_.steps(), warmup));
  const ProbedRows probed = std::exchange(probed_, {});
  const double rows =
      std::accumulate(batches.begin(), batches.end(), 0.0, [](double sum, const auto& batch) { return sum + batch.size(); });
  report.work.forward += probed.forward / std::max(1.0, rows);
  report.work.backward += probed.backward / std::max(1.0, rows);
  return report;
}

std::vector<std::vector<int64_t>> Session::rows_of(int64_t step) {
  auto batches = plan_.micro_batches(step);
  const Key answers = job_.key.split("answers").split(static_cast<uint64_t>(plan_.epoch_of(step)));
  for (auto& batch : batches)
    for (int64_t& place : batch) place = train_.row_at(place, answers.split(static_cast<uint64_t>(place)));
  return batches;
}

Evaluation Session::evaluation(RowOutcomes& rows) const {
  Predictions predictions;
  Evaluation evaluation = evaluate(family_, binding_.weights(), evaluation_set_, job_.device, &predictions);
  rows = RowOutcomes::of(evaluation_set_, predictions);
  return evaluation;
}

Weights Session::whole_weights() const { return vocabulary_ ? vocabulary_->whole(binding_.snapshot()) : binding_.snapshot(); }

NamedTensors Session::copied_values() const {
  NamedTensors values = values_of(binding_);
  for (auto& [name, value] : values) value = value.detach().clone();
  return values;
}

void Session::take_values(const NamedTensors& values) {
  set_values(binding_, values);
  binding_.compose();
}

void Session::save(Checkpoint& checkpoint) const {
  add_tensors(checkpoint, "value.", values_of(binding_));
  add_tensors(checkpoint, "optimizer.", stepper_.optimizer().state());
  if (stepper_.solver()) add_tensors(checkpoint, "solver.", stepper_.solver()->state());
  add_tensors(checkpoint, "plugin.", plugins_.tensors());
  const ScopeUse use = binding_.scope_use();
  checkpoint.state["scopes"] = plugins_.scopes();
  checkpoint.state["reports"] = plugins_.report();
  checkpoint.state["scope_use"] = {use.restricted, use.masked, use.acted};
  checkpoint.state["scope_changes"] = use.changes;
  add_tensors(checkpoint, "carried.", numbered(stepper_.carried().tensors()));
  checkpoint.state["carried_rows"] = stepper_.carried().rows();
  checkpoint.state["cached_layers"] = stepper_.caching().layers;
  checkpoint.state["cached_since_epoch"] = stepper_.caching().since_epoch;
}

void Session::restore(const Checkpoint& checkpoint) {
  const nlohmann::json& state = checkpoint.state;
  plugins_.restore(tensors_under(checkpoint, "plugin."), state.at("scopes"), state.at("reports"));
  set_values(binding_, tensors_under(checkpoint, "value."));
  if (const auto scope = plugins_.current()) stepper_.rescope(*scope);
  const auto use = state.at("scope_use").get<std::vector<bool>>();
  binding_.restore_scope_use({state.at("scope_changes").get<int64_t>(), use.at(0), use.at(1), use.at(2)});
  stepper_.restore({state.value("cached_layers", 0), state.value("cached_since_epoch", int64_t{0})});
  probed_ = {};  // by plugins that were made again
  stepper_.optimizer().restore(tensors_under(checkpoint, "optimizer."));
  if (stepper_.solver()) stepper_.solver()->restore(tensors_under(checkpoint, "solver."));
  std::vector<at::Tensor> carried;
  for (const auto& [name, tensor] : tensors_under(checkpoint, "carried.")) carried.push_back(tensor.to(job_.device));
  stepper_.restore_carried(state.value("carried_rows", std::vector<int64_t>()), std::move(carried));
}

void Session::require_acting_scope(int64_t steps) const {
  const ScopeUse use = binding_.scope_use();
  if (const auto idle = plugins_.idle(); !idle.empty())
    user_error("{}: the selector {} froze nothing and masked nothing in {} steps", job_.title, idle.front(), steps);
  if (plugins_.current() && !use.restricted && !use.masked)
    user_error("{}: the selectors froze and masked nothing that is trained, in {} steps", job_.title, steps);
  if (const auto undecided = plugins_.undecided(); !undecided.empty())
    log_warning("{}: {} gave no scope in {} steps", job_.title, fmt::join(undecided, ", "), steps);
  if (use.masked && !use.acted)
    run_error("{}: the mask never acted: all gradients outside it were zero in {} steps, so the training is one without a mask", job_.title,
              steps);
}

TrainReport Session::report(int64_t steps, int64_t tokens) const {
  const int64_t unreached = vocabulary_ ? vocabulary_->numbers_left_out() : 0, free = binding_.degrees_of_freedom() + unreached;
  TrainReport report{.trainable = binding_.trainable() + unreached,
                     .degrees_of_freedom = free,
                     .trainable_share = static_cast<double>(free) / static_cast<double>(numbers_of(*job_.model->family)),
                     .bytes_shipped = binding_.bytes_shipped() + static_cast<int64_t>(sizeof(float)) * unreached,
                     .gradient_bytes = binding_.gradient_bytes(),
                     .out_of_reach = unreached,
                     .optimizer_bytes = bytes_of(stepper_.optimizer().state()),
                     .failed_steps = stepper_.solver() ? stepper_.solver()->failed_steps() : std::nullopt,
                     .steps = steps,
                     .steps_planned = plan_.steps(),
                     .steps_per_epoch = plan_.steps_per_epoch(),
                     .tokens = tokens,
                     .reach = reach(),
                     .binding = binding_.describe()};
  if (!plugins_.empty()) report.plugins = plugins_.report();
  return report;
}

}  // namespace tsrun::training
