#pragma once

#include <ATen/core/Tensor.h>

namespace tsrun {

/// Gradient of a leaf on the host, of its type and contiguous as it is: what a known gradient may be added to. Else undefined.
at::Tensor gradient_in_place(const at::Tensor& tensor);

/// While one lives, backward passes of this thread add gradients of leaves on the host where those of the leaves stand: of embedding tables
/// row by row, of float32 weights by the product itself. LibTorch makes a matrix of the parameter's size first, zeroed for a table, and
/// adds that. Gradients are the same; under `autograd::grad`, which returns them, none may live.
class AddsGradientsInPlace {
 public:
  AddsGradientsInPlace();
  ~AddsGradientsInPlace();
  AddsGradientsInPlace(const AddsGradientsInPlace&) = delete;
  AddsGradientsInPlace& operator=(const AddsGradientsInPlace&) = delete;

  /// Whether one lives on this thread, and backward is not itself recorded.
  static bool now();

 private:
  bool before_;
};

}  // namespace tsrun
