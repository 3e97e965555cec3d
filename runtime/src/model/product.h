#pragma once

#include "tsrun/model/kernels.h"

#include <ATen/core/Tensor.h>

#include <optional>

namespace tsrun::model {

/// `x` as an operand of this precision: itself, or rounded. Call it once where one x enters several products: they then share what backward
/// needs.
at::Tensor operand(const at::Tensor& x, Precision precision);

/// x Wᵀ + b; with `transposed`, x W + b (GPT-2's Conv1D). x: [tokens, in], rounded already or not; weight: [out, in], transposed [in, out];
/// bias: [out]. Gives [tokens, out] in the weight's type.
///
/// In bfloat16, with R for rounding: y = R(R(x) R(W)ᵀ) + b. Gradients are products of R(dy) with R(W) and R(x), and the sum of dy for b;
/// they come in the types of x, weight and bias, and can be differentiated again. Backward keeps R(x), if the weight learns, and the weight
/// itself, if x needs a gradient. See AddsGradientsInPlace. The first product of each new shape costs about half a millisecond more (its
/// code is generated).
at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool transposed,
                   Precision precision);

}  // namespace tsrun::model
