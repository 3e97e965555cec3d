#include "train/solver.h"

#include "tsrun/base/error.h"

#include <fmt/ranges.h>

namespace tsrun::training {
namespace {

std::string named(const TrainJob& job) { return fmt::format("optim = \"{}\"", job.options.text("optim")); }

void check_coordinates(const TrainJob& job, const TrainSettings& settings, const Binding& binding) {
  const Subspace* subspace = binding.subspace();
  if (!subspace)
    user_error("{} moves the coordinates of a subspace; expected tune = ts.within(…), found a training in full space", named(job));
  if (subspace->dim() > kFewUnknowns && settings.optimizer != OptimizerKind::levenberg_marquardt)
    user_error("{} takes at most {} coordinates, found {}; expected a smaller subspace, levenberg_marquardt, or adamw", named(job),
               kFewUnknowns, subspace->dim());
  if (job.tune.ensemble > 1)
    user_error("{} moves one vector of coordinates; expected ensemble = 1, found {}", named(job), job.tune.ensemble);
}

/// Without gradients nothing else can move.
void check_others(const TrainJob& job, const Binding& binding) {
  std::vector<std::string> others;
  for (const ParameterGroup& group : binding.groups())
    if (group.name != "z") others.push_back(group.name);
  if (!others.empty())
    user_error(
        "{} makes forward passes alone, and nothing else can be trained beside the coordinates; found {}. Train the head first, and begin "
        "with it: origin = {{ solution = …, parts = {{ \"pooler\", \"head\" }} }}, and embeddings = false, pooler = false, head = false in "
        "ts.within",
        named(job), fmt::join(others, ", "));
}

}  // namespace

std::unique_ptr<FewUnknowns> make_solver(const TrainSettings& settings) {
  switch (settings.optimizer) {
    case OptimizerKind::lbfgs:
      return make_lbfgs(settings.lbfgs);
    case OptimizerKind::levenberg_marquardt:
      return make_levenberg_marquardt(settings.levenberg_marquardt);
    case OptimizerKind::p_bfgs:
      return make_p_bfgs();
    case OptimizerKind::cma_es:
      return make_cma_es(settings.cma_es);
    case OptimizerKind::spsa:
      return make_spsa(settings.spsa);
    case OptimizerKind::adamw:
    case OptimizerKind::sgd:
    case OptimizerKind::adafactor:
      break;
  }
  return nullptr;
}

TuneOptions tune_for(TuneOptions tune, const TrainSettings& settings) {
  tune.optimise_z = !settings.solves();
  tune.gradients = !settings.forward_only();
  return tune;
}

void check_solver(const TrainJob& job, const TrainSettings& settings, const Binding& binding, bool carries_state) {
  if (!settings.solves()) return;
  check_coordinates(job, settings, binding);
  if (settings.forward_only()) check_others(job, binding);
  if (!job.plugins.empty())
    user_error(
        "{} asks for the loss at several coordinates in a step, but '{}' acts on the one gradient of a step; expected no select and "
        "no regularize, or optim = \"adamw\"",
        named(job), job.plugins.front().name);
  if (carries_state)
    user_error(
        "{} asks for the loss of a batch several times, but the model carries its state from batch to batch; expected "
        "carry_state = false",
        named(job));
  const HeadSpec& head = job.model->family->head();
  const bool few =
      head.kind == HeadKind::classification || head.kind == HeadKind::regression || head.kind == HeadKind::token_classification;
  if (settings.optimizer == OptimizerKind::levenberg_marquardt && !few)
    user_error("{} differentiates every output, and a {} head has one for every word; expected lbfgs, p_bfgs, cma_es or spsa", named(job),
               name_of(head.kind));
}

}  // namespace tsrun::training
