#pragma once

#include "tsrun/tune/binding.h"

#include <map>
#include <string>
#include <vector>

/// Shared by the optimisers.
namespace tsrun::training {

/// `group`'s spans, explicit; none where a plugin updates it. Internal error when they are out of order or beyond the group.
std::vector<Span> spans_of(const ParameterGroup& group);

/// Zeros for one number of state an element of `group`; nothing where a plugin updates it.
at::Tensor moments_for(const ParameterGroup& group);

/// The ranges between `spans` in a vector of `total` elements.
std::vector<Span> outside(const std::vector<Span>& spans, int64_t total);

/// `spans` sorted into lists of one rate and one decay each, in the order of their first.
std::vector<std::vector<Span>> by_rate_and_decay(const std::vector<Span>& spans);

/// Copies the saved tensor called `name` into `into`; internal error when it is missing or of another shape.
void restore_tensor(const std::map<std::string, at::Tensor>& state, const std::string& name, const at::Tensor& into);

}  // namespace tsrun::training
