#pragma once

#include "decoder.h"

#include "tsrun/base/options.h"
#include "tsrun/tune/joint_method.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace tsrun::shared_vector {

OptionTable option_table();

/// What all members of a training share.
struct Schedule {
  int64_t steps, eval_every;
  double lr, deviation;
};
Schedule schedule_of(const Options& options);

/// Every member's decoder as the key draws it, in order.
/// @throws Error(user) when there are no members, or `maps` or `bias` name one that is not there, or a map that does not exist.
std::vector<std::unique_ptr<Decoder>> draw_decoders(const JointInputs& inputs, const Options& options);

}  // namespace tsrun::shared_vector
