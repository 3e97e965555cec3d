#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

/// Shared by the optimisers for few unknowns.
namespace tsrun::training {

double inner_product(const at::Tensor& a, const at::Tensor& b);
double length_of(const at::Tensor& a);
at::Tensor single(double value);  ///< float64 [1]

/// A float64 copy of the saved tensor `name`; undefined where the state has none.
at::Tensor saved(const std::map<std::string, at::Tensor>& state, const std::string& name);
/// The number saved as `name`; internal error when it is missing.
double saved_number(const std::map<std::string, at::Tensor>& state, const std::string& name);

}  // namespace tsrun::training
