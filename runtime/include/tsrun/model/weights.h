#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// Named tensors in declaration order. Names are Hugging Face parameter names with the family's base prefix (`bert.encoder.layer.0.…`,
/// `classifier.weight`). Copies share storage; `set` on a copy leaves the original alone. Threads may read one object at once.
class Weights {
 public:
  void set(const std::string& name, at::Tensor tensor);  ///< replaces or appends
  const at::Tensor& at(std::string_view name) const;     ///< internal error with the near miss
  const at::Tensor* find(std::string_view name) const;
  const std::vector<std::string>& names() const { return names_; }
  size_t size() const { return names_.size(); }

 private:
  std::vector<std::string> names_;
  std::map<std::string, at::Tensor, std::less<>> tensors_;
};

/// The same on `device`; tensors that lie there are shared.
Weights on_device(const Weights& weights, at::Device device);

}  // namespace tsrun
