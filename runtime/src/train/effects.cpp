#include "tsrun/train/effects.h"

#include "tsrun/base/error.h"
#include "tsrun/train/reading.h"
#include "tsrun/train/train.h"

namespace tsrun {
namespace {

/// Condition under which a set of options is read: `read` says whether it holds, `reason` why not.
struct ReadWhen {
  std::vector<const char*> options;
  bool read = true;
  std::string reason;
};

std::vector<Idle> idle_among(const std::vector<ReadWhen>& groups, const OptionTable& table, const Options& options) {
  std::vector<Idle> idle;
  for (const ReadWhen& group : groups) {
    for (const char* name : group.options)
      if (!group.read && options.value(name) != table.find(name)->fallback) idle.push_back({name, group.reason});
  }
  return idle;
}

std::vector<ReadWhen> text_groups(const Options& reading, const Task& task) {
  const std::string kind(name_of(task.kind)), answer = reading.text("answer");
  const bool in_words = task.kind == TaskKind::text_to_text || task.kind == TaskKind::multiple_choice;
  const bool chosen = answer == "choose" || (answer == "auto" && task.kind == TaskKind::multiple_choice);
  const std::string no_words = "a " + kind + " is not answered in words";
  return {
      {{"blocks", "carry_state"}, task.kind == TaskKind::language_modelling, "a " + kind + " has no documents to cut"},
      {{"answer"}, in_words, no_words},
      {{"choose_by"}, in_words && chosen, in_words ? "answers are written, not chosen" : no_words},
      {{"num_beams", "length_penalty", "do_sample", "stop"}, in_words && !chosen, in_words ? "answers are chosen, not written" : no_words}};
}

std::vector<ReadWhen> training_groups(const Options& options, const HeadSpec& head, const Task& task) {
  const std::string kind(name_of(task.kind)), optim = options.text("optim"), other = "optim is '" + optim + "'";
  const bool forward_only = optim == "cma_es" || optim == "spsa";
  const bool adamw = optim != "sgd" && optim != "adafactor" && !forward_only;  // beside the coordinates, too
  return {{{"label_smoothing_factor"}, head.kind != HeadKind::regression, "a regression has no classes to spread a target over"},
          {{"accepted_answers"}, task.kind == TaskKind::text_to_text, "a " + kind + " has no accepted answers"},
          {{"mlm_probability"}, head.kind == HeadKind::masked_lm, "no tokens are hidden"},
          {{"adam_beta1", "adam_beta2", "adam_epsilon"}, adamw, other},
          {{"momentum"}, optim == "sgd", other},
          {{"clip_threshold", "decay_rate", "eps1"}, optim == "adafactor", other},
          {{"lbfgs_history"}, optim == "lbfgs", other},
          {{"lm_damping", "lm_jacobian", "lm_difference"}, optim == "levenberg_marquardt", other},
          {{"population", "sigma"}, optim == "cma_es", other},
          {{"spsa_a", "spsa_c", "spsa_stability"}, optim == "spsa", other},
          {{"lr_scheduler_type", "warmup_ratio", "max_grad_norm", "gradient_checkpointing"}, !forward_only, other + ", without gradients"},
          {{"early_stop"}, options.integer("eval_every") != -1, "the only evaluation is at the end (eval_every = -1)"}};
}

}  // namespace

std::vector<Idle> idle_text_options(const Options& reading, const Task& task) {
  return idle_among(text_groups(reading, task), text_options(), reading);
}

std::vector<Idle> idle_options(const Options& options, const HeadSpec& head, const Task& task) {
  std::vector<Idle> idle = idle_among(training_groups(options, head, task), train_options(), options);
  for (Idle& reading : idle_text_options(options, task)) idle.push_back(std::move(reading));
  return idle;
}

void refuse_idle(const std::vector<Idle>& idle, const Options& options, const Task& task) {
  if (idle.empty()) return;
  const nlohmann::json fallback = train_options().find(idle.front().option)->fallback;
  user_error("task '{}': option '{}' is {}, but nothing reads it: {}; expected {}", task.name, idle.front().option,
             options.value(idle.front().option).dump(), idle.front().reason,
             fallback.is_null() ? "it to be left out" : fallback.dump() + ", its default");
}

void require_read(const Options& reading, const Task& task) { refuse_idle(idle_text_options(reading, task), reading, task); }

}  // namespace tsrun
