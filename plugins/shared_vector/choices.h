#pragma once

#include "decoder.h"

#include "tsrun/base/options.h"
#include "tsrun/tune/joint.h"

#include <cstdint>
#include <string>

namespace tsrun::shared_vector {

OptionTable option_table();

/// What all members of a training share.
struct Schedule {
  int64_t steps, eval_every;
  double lr, deviation;
};
Schedule schedule_of(const Options& options);

struct MemberChoice {
  Shape shape;
  bool drop_origin;
};
/// Its map: what `maps` says; else Fastfood for a member called "full" and for more than `fastfood_from` numbers; else dense.
MemberChoice choice_of(const JointMember& member, const Options& options);
/// @throws Error(user) when `maps` or `bias` name a member that is not there, or a map that does not exist.
void check_choices(const std::vector<JointMember>& members, const Options& options);

}  // namespace tsrun::shared_vector
