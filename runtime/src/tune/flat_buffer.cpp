#include "tsrun/tune/flat_buffer.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/tune/parameter_set.h"

#include <algorithm>

namespace tsrun {
const ParameterInfo* find_parameter(const Family& family, const std::string& name) {
  const auto& all = family.parameters();
  const auto found = std::find_if(all.begin(), all.end(), [&](const ParameterInfo& info) { return info.name == name; });
  return found == all.end() ? nullptr : &*found;
}

FlatBuffer::FlatBuffer(std::string name_, Layout layout_, const Weights& origin, at::Device device, bool with_gradient)
    : name(std::move(name_)), layout(std::move(layout_)) {
  const at::NoGradGuard no_grad;
  value = flatten(origin, layout).to(device);
  if (with_gradient) gradient = at::zeros_like(value);
}

void FlatBuffer::add_leaves(Weights& weights) const {
  for (const Slice& slice : layout.slices()) {
    at::Tensor leaf = value.narrow(0, slice.offset, slice.size).view(slice.shape).detach();
    if (gradient.defined()) {
      leaf.set_requires_grad(true);
      leaf.mutable_grad() = gradient.narrow(0, slice.offset, slice.size).view(slice.shape).detach();
    }
    weights.set(slice.name, leaf);
  }
}

void check_layout(const Layout& layout, const Family& family, const std::string& what) {
  for (const Slice& slice : layout.slices()) {
    const ParameterInfo* info = find_parameter(family, slice.name);
    if (!info) {
      std::vector<std::string> names;
      for (const ParameterInfo& known : family.parameters()) names.push_back(known.name);
      data_error("{} spans '{}', which the {} model lacks{}", what, slice.name, family.model_type(), did_you_mean(slice.name, names));
    }
    if (info->shape != slice.shape) {
      Layout model;
      model.add(info->name, info->shape);
      Layout theirs;
      theirs.add(slice.name, slice.shape);
      data_error("{} was made for another model: {} (the model here, {} there)", what, *first_difference(model, theirs), what);
    }
  }
}

const ParameterInfo& parameter(const Family& family, const std::string& name) {
  const ParameterInfo* info = find_parameter(family, name);
  if (!info) internal_error("'{}' is no parameter of the {} model", name, family.model_type());
  return *info;
}

}  // namespace tsrun
