#pragma once

#include "tsrun/model/family.h"

#include <string>
#include <utility>
#include <vector>

namespace tsrun::model {

/// Collects a family's parameters; those between two calls of `start` share part, layer and prefix of names.
class ParameterList {
 public:
  void start(Part part, int layer, std::string prefix) {
    part_ = part;
    layer_ = layer;
    prefix_ = std::move(prefix);
  }
  void add(const std::string& module, const std::string& leaf, ParameterKind kind, std::vector<int64_t> shape, bool transposed = false) {
    const std::string name = prefix_ + (module.empty() ? leaf : module + "." + leaf);
    list_.push_back({name, std::move(shape), part_, layer_, kind, module, transposed});
  }
  void linear(const std::string& module, int64_t outputs, int64_t inputs) {
    add(module, "weight", ParameterKind::weight, {outputs, inputs});
    add(module, "bias", ParameterKind::bias, {outputs});
  }
  void norm(const std::string& module, int64_t width) {
    add(module, "weight", ParameterKind::norm_weight, {width});
    add(module, "bias", ParameterKind::norm_bias, {width});
  }
  void embedding(const std::string& module, int64_t rows, int64_t width) { add(module, "weight", ParameterKind::embedding, {rows, width}); }

  std::vector<ParameterInfo> take() { return std::move(list_); }

 private:
  std::vector<ParameterInfo> list_;
  Part part_ = Part::encoder;
  int layer_ = -1;
  std::string prefix_;
};

}  // namespace tsrun::model
