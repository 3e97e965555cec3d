#pragma once

#include "tsrun/train/few_unknowns.h"
#include "tsrun/train/settings.h"
#include "tsrun/train/train.h"

namespace tsrun::training {

/// The method that owns the coordinates; null where the optimiser does.
std::unique_ptr<FewUnknowns> make_solver(const TrainSettings& settings);

/// `tune` as a training with these settings binds it: nothing moves z but the solver, and forward-only methods get no gradient buffers.
TuneOptions tune_for(TuneOptions tune, const TrainSettings& settings);

/// @throws Error(user) naming the option `optim` for a training that its method cannot make: without a subspace, with more than
/// `kFewUnknowns` coordinates, an ensemble, plugins, carried state, other trained groups beside a forward-only method, or a head over words
/// under Levenberg-Marquardt
void check_solver(const TrainJob& job, const TrainSettings& settings, const Binding& binding, bool carries_state);

}  // namespace tsrun::training
