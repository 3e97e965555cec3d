#pragma once

#include "tsrun/linalg/layout.h"
#include "tsrun/model/family.h"

#include <ATen/core/Tensor.h>

#include <string>

namespace tsrun {

/// Tensors that are trained together, laid end to end: one flat value and one flat gradient. Leaves are views of the value, and autograd
/// accumulates in place into views of the gradient.
struct FlatBuffer {
  std::string name;
  Layout layout;
  at::Tensor value, gradient;  ///< without a gradient: undefined

  /// Copies the named values of `origin` to `device`.
  FlatBuffer(std::string name, Layout layout, const Weights& origin, at::Device device, bool with_gradient = true);
  /// Appends one leaf per slice to `weights`; without a gradient, constants.
  void add_leaves(Weights& weights) const;
};

/// Every slice must be a parameter of `family` with the same shape. @throws Error(data) "`what` spans …, which the model lacks"
void check_layout(const Layout& layout, const Family& family, const std::string& what);

/// The parameter called `name`; null when there is none.
const ParameterInfo* find_parameter(const Family& family, const std::string& name);
/// The parameter called `name`; internal error when there is none.
const ParameterInfo& parameter(const Family& family, const std::string& name);

}  // namespace tsrun
