#pragma once

#include "tsrun/tune/binding.h"

#include <map>
#include <string>
#include <vector>

/// What the optimisers share.
namespace tsrun {

/// A range of a group's flat vectors.
struct DecaySegment {
  at::Tensor value, gradient;
  int64_t begin = 0, size = 0;
};

/// A group under one weight decay: the decayed ranges, and all that lies between them.
struct DecaySegments {
  std::vector<DecaySegment> decayed, plain;
};

/// Internal error when the decayed ranges are out of order or beyond the group.
DecaySegments cut_by_decay(const ParameterGroup& group);

/// Copies the saved tensor called `name` into `into`; internal error when it is missing or of another shape.
void restore_tensor(const std::map<std::string, at::Tensor>& state, const std::string& name, const at::Tensor& into);

}  // namespace tsrun
