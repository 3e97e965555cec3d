#include "tsrun/model/weights.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

namespace tsrun {

void Weights::set(const std::string& name, at::Tensor tensor) {
  const auto [place, fresh] = tensors_.insert_or_assign(name, std::move(tensor));
  if (fresh) names_.push_back(place->first);
}

const at::Tensor* Weights::find(std::string_view name) const {
  const auto place = tensors_.find(name);
  return place == tensors_.end() ? nullptr : &place->second;
}

const at::Tensor& Weights::at(std::string_view name) const {
  if (const at::Tensor* tensor = find(name)) return *tensor;
  internal_error("weights: no tensor '{}'{}", name, did_you_mean(name, names_));
}

Weights on_device(const Weights& weights, at::Device device) {
  Weights moved;
  for (const std::string& name : weights.names()) moved.set(name, weights.at(name).to(device));
  return moved;
}

}  // namespace tsrun
