#pragma once

#include <ATen/core/Tensor.h>

namespace tsrun {

/// Gradient of a leaf on the host, of its type and contiguous as it is: what a known gradient may be added to. Else undefined.
at::Tensor gradient_in_place(const at::Tensor& tensor);

/// While one lives, backward passes of this thread add gradients of embedding tables on the host to those of the leaves row by row.
/// LibTorch makes a matrix of the vocabulary's size for it and adds that, 5 % of a step of MiniLM's. Gradients are the same; under
/// `autograd::grad`, which returns them, none may live.
class AddsRowGradients {
 public:
  AddsRowGradients();
  ~AddsRowGradients();
  AddsRowGradients(const AddsRowGradients&) = delete;
  AddsRowGradients& operator=(const AddsRowGradients&) = delete;

 private:
  bool before_;
};

}  // namespace tsrun
