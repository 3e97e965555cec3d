#include "tsrun/tune/parameter_set.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun {

at::Tensor flatten(const Weights& weights, const Layout& layout) {
  const at::NoGradGuard no_grad;
  const at::Device device = layout.slices().empty() ? at::Device(at::kCPU) : weights.at(layout.slices().front().name).device();
  at::Tensor flat = at::empty({layout.total()}, at::TensorOptions(at::kFloat).device(device));
  for (const Slice& slice : layout.slices()) {
    const at::Tensor& tensor = weights.at(slice.name);
    if (tensor.sizes() != at::IntArrayRef(slice.shape))
      internal_error("flatten: '{}' has {} elements in another shape than the layout's {}", slice.name, tensor.numel(), slice.size);
    flat.narrow(0, slice.offset, slice.size).view(slice.shape).copy_(tensor.detach());
  }
  return flat;
}

Weights unflatten(const at::Tensor& flat, const Layout& layout) {
  if (flat.dim() != 1 || flat.numel() != layout.total())
    internal_error("unflatten: {} elements for a layout of {}", flat.numel(), layout.total());
  Weights weights;
  for (const Slice& slice : layout.slices()) weights.set(slice.name, flat.narrow(0, slice.offset, slice.size).view(slice.shape));
  return weights;
}

}  // namespace tsrun
