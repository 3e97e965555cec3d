#pragma once

#include "tsrun/tune/binding.h"
#include "tune/flat_buffer.h"

#include <map>
#include <vector>

namespace tsrun {

/// Positions of one flat buffer that do not follow training.
struct Held {
  size_t buffer = 0;
  at::Tensor positions;  ///< int64, on the device
  at::Tensor values;     ///< what they are held at
};

/// What a mask came to: how many of its positions lie on trained numbers, and how many on frozen constants.
struct MaskUse {
  std::string name;  ///< "zeroed", "held"
  bool hold = true;
  int64_t requested = 0, on_trained = 0, on_frozen = 0;
};

/// Everything a binding owns. Buffers come in the order of their groups; `bound` is the buffer that a subspace writes.
struct Binding::State {
  const Family* family = nullptr;
  TuneOptions options;
  at::Device device = at::kCPU;
  Weights origin, weights;
  std::vector<FlatBuffer> buffers;
  std::vector<ParameterGroup> groups;
  std::optional<size_t> bound;
  at::Tensor bound_origin;  ///< θ0 of the bound buffer; with zeros where a mask zeroes at the start
  at::Tensor composed;      ///< the z that the bound buffer shows now
  std::vector<Held> held;
  std::vector<MaskUse> masks;
  std::map<std::string, int64_t> frozen;  ///< part → numbers

  State(const Family& model, const Weights& start, const TuneOptions& choices, Key key, at::Device where);

  ParameterGroup& z_group();
  at::Tensor mean_z() const;  ///< [dim]
  void hold_positions(size_t buffer);

 private:
  void add_bound(Key key);
  void add_parts();
  void add_group(const FlatBuffer& buffer, double lr);
  void add_constants();
  void apply_masks();
  void apply_mask(const Mask& mask, const std::string& name, bool zero);
  bool trains(const ParameterInfo& info) const;
};

}  // namespace tsrun
