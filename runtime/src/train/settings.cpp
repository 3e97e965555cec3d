#include "tsrun/train/settings.h"

#include "tsrun/base/error.h"

#include <string_view>
#include <utility>

namespace tsrun {
namespace {

template <class Value>
using Choices = std::initializer_list<std::pair<std::string_view, Value>>;

/// The value that a resolved option of type `choice` stands for.
template <class Value>
Value choice_of(const Options& options, std::string_view name, Choices<Value> choices) {
  const std::string text = options.text(name);
  for (const auto& [choice, value] : choices)
    if (choice == text) return value;
  internal_error("option '{}' is '{}', which the trainer does not know", name, text);
}

OptimizerKind optimizer_of(const Options& options) {
  return choice_of<OptimizerKind>(options, "optim",
                                  {{"adamw", OptimizerKind::adamw},
                                   {"sgd", OptimizerKind::sgd},
                                   {"adafactor", OptimizerKind::adafactor},
                                   {"lbfgs", OptimizerKind::lbfgs},
                                   {"levenberg_marquardt", OptimizerKind::levenberg_marquardt},
                                   {"p_bfgs", OptimizerKind::p_bfgs},
                                   {"cma_es", OptimizerKind::cma_es},
                                   {"spsa", OptimizerKind::spsa}});
}

LevenbergMarquardtOptions levenberg_marquardt_of(const Options& options) {
  return {.damping = options.number("lm_damping"),
          .jacobian =
              choice_of<JacobianBy>(options, "lm_jacobian", {{"backward", JacobianBy::backward}, {"differences", JacobianBy::differences}}),
          .difference = options.number("lm_difference")};
}

LrScheduler scheduler_of(const Options& options) {
  return choice_of<LrScheduler>(options, "lr_scheduler_type",
                                {{"linear", LrScheduler::linear}, {"cosine", LrScheduler::cosine}, {"constant", LrScheduler::constant}});
}

}  // namespace

Precision precision_of(const Options& options) {
  return choice_of<Precision>(options, "precision", {{"float32", Precision::float32}, {"bf16", Precision::bfloat16}});
}

TrainSettings TrainSettings::from(const Options& options) {
  return {
      .epochs = options.integer("epochs"),
      .max_steps = options.integer("max_steps"),
      .max_forward_passes = options.integer("max_forward_passes"),
      .batch_size = options.integer("batch_size"),
      .gradient_accumulation_steps = options.integer("gradient_accumulation_steps"),
      .optimizer = optimizer_of(options),
      .adamw = {.beta1 = options.number("adam_beta1"), .beta2 = options.number("adam_beta2"), .epsilon = options.number("adam_epsilon")},
      .sgd = {.momentum = options.number("momentum")},
      .adafactor = {.clip_threshold = options.number("clip_threshold"),
                    .decay_rate = options.number("decay_rate"),
                    .eps1 = options.number("eps1")},
      .lbfgs = {.history = options.integer("lbfgs_history")},
      .levenberg_marquardt = levenberg_marquardt_of(options),
      .cma_es = {.population = options.integer("population"), .sigma = options.number("sigma")},
      .spsa = {.a = options.number("spsa_a"), .c = options.number("spsa_c"), .stability = options.number("spsa_stability")},
      .scheduler = scheduler_of(options),
      .warmup_ratio = options.number("warmup_ratio"),
      .max_grad_norm = options.number("max_grad_norm"),
      .label_smoothing = options.number("label_smoothing_factor"),
      .eval_every = options.integer("eval_every"),
      .early_stop = options.integer("early_stop"),
      .checkpoint_every = options.integer("checkpoint_every"),
      .precision = precision_of(options),
      .gradient_checkpointing = options.flag("gradient_checkpointing"),
      .dropout = options.flag("dropout"),
      .mlm_probability = options.number("mlm_probability"),
  };
}

std::unique_ptr<Optimizer> make_optimizer(std::vector<ParameterGroup>& groups, const TrainSettings& settings) {
  if (settings.optimizer == OptimizerKind::sgd) return make_sgd(groups, settings.sgd);
  if (settings.optimizer == OptimizerKind::adafactor) return make_adafactor(groups, settings.adafactor);
  return make_adamw(groups, settings.adamw);
}

}  // namespace tsrun
