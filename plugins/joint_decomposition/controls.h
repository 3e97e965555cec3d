#pragma once

#include "settings.h"

#include "tsrun/tune/joint_method.h"

namespace tsrun::joint_decomposition {

/// Decoders as a key draws them: normal columns, each scaled to `column_length`. The control that says whether learning the space helps.
JointResult draw_decoders(const JointInputs& inputs, const Settings& settings);

/// Joint PCA: the solutions of one task, scaled to equal energy of the members, are one long vector; its leading left and right singular
/// vectors are codes, which all members share, and decoders. Not centred, so that code 0 is θ0. Codes have mean square length 1 over the
/// solutions when all directions are kept. Fewer directions than asked for where the solutions span fewer.
JointResult joint_pca(const JointInputs& inputs, const Settings& settings);

}  // namespace tsrun::joint_decomposition
