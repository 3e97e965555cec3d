#include "tsrun/model/gradients_in_place.h"

#include <ATen/core/grad_mode.h>

#include <utility>

namespace tsrun {
namespace {

thread_local bool adds_in_place = false;

}  // namespace

AddsGradientsInPlace::AddsGradientsInPlace() : before_(std::exchange(adds_in_place, true)) {}
AddsGradientsInPlace::~AddsGradientsInPlace() { adds_in_place = before_; }
bool AddsGradientsInPlace::now() { return adds_in_place && !at::GradMode::is_enabled(); }

at::Tensor gradient_in_place(const at::Tensor& tensor) {
  if (!tensor.is_leaf() || !tensor.is_cpu() || !tensor.is_contiguous()) return {};
  const at::Tensor& gradient = tensor.grad();
  return gradient.defined() && gradient.layout() == at::kStrided && gradient.is_contiguous() &&
                 gradient.scalar_type() == tensor.scalar_type()
             ? gradient
             : at::Tensor();
}

}  // namespace tsrun
