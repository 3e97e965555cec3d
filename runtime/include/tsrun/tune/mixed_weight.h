#pragma once

#include "tsrun/base/random.h"
#include "tsrun/model/family.h"

#include <ATen/core/Tensor.h>

/// Weights whose entries are in part those of a target: Mixout (Lee, Cho and Kang, ICLR 2020), and DPS Mix (Zhang et al., NeurIPS 2022).
namespace tsrun {

/// ((1 − n) target + n weight − p target) / (1 − p), n being 1 where `kept` is true: the weight where it is kept, moved away from the
/// target by 1 / (1 − p) so that the mean over n ~ Bernoulli(1 − p) is the weight; the target elsewhere. With p = 1 the target everywhere.
/// Connected to `weight` by autograd and not to `target`. The gradient passes where `kept` is true, unscaled as in the authors' code of
/// both methods; with `rescale_gradient` it is the derivative, 1 / (1 − p) times as large.
/// With `everywhere` it passes where the target stands too, for weights that a scope masks by the same `kept`.
/// `kept`: bool, broadcast over the weight: [inputs] or [inputs, 1] for one number per input of a linear layer, or the weight's shape.
/// @throws Error(internal) for p outside [0, 1] and for a `kept` that is not bool
at::Tensor mixed_weight(const at::Tensor& weight, const at::Tensor& target, const at::Tensor& kept, double p, bool rescale_gradient = false,
                        bool everywhere = false);

/// Random `kept` for a parameter, true with probability 1 − p. `per_input` draws one number for each input of a linear layer, shared by its
/// outputs: [inputs], or [inputs, 1] where the weight is transposed; other parameters have a number for every element in either case.
/// Otherwise the parameter's shape. On the host.
at::Tensor draw_kept(const ParameterInfo& parameter, double p, bool per_input, Key key);

}  // namespace tsrun
