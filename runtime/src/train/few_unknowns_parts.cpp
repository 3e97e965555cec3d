#include "train/few_unknowns_parts.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/few_unknowns.h"

namespace tsrun {

namespace training {

double inner_product(const at::Tensor& a, const at::Tensor& b) { return a.dot(b).item<double>(); }
double length_of(const at::Tensor& a) { return a.norm().item<double>(); }
at::Tensor single(double value) { return at::full({1}, value, at::kDouble); }

at::Tensor saved(const std::map<std::string, at::Tensor>& state, const std::string& name) {
  const auto found = state.find(name);
  return found == state.end() ? at::Tensor() : found->second.to(at::kDouble).clone();
}

double saved_number(const std::map<std::string, at::Tensor>& state, const std::string& name) {
  const at::Tensor tensor = saved(state, name);
  if (!tensor.defined() || tensor.numel() != 1) internal_error("few unknowns: the saved state lacks the number '{}'", name);
  return tensor.item<double>();
}

}  // namespace training

at::Tensor jacobian_by_differences(LossAt& loss, const at::Tensor& z, double width) {
  const at::Tensor base = loss.outputs(z);
  at::Tensor jacobian = at::empty({base.numel(), z.numel()}, at::kDouble);
  for (int64_t i = 0; i < z.numel(); ++i) {
    at::Tensor moved = z.clone();
    moved.select(0, i).add_(width);
    jacobian.select(1, i).copy_(((loss.outputs(moved) - base) / width).flatten());
  }
  return jacobian;
}

}  // namespace tsrun
