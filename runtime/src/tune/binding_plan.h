#pragma once

#include "tsrun/tune/binding.h"
#include "tsrun/tune/flat_buffer.h"

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

/// What the scope in force leaves of one buffer.
struct BufferScope {
  at::Tensor outside;  ///< bool [total], true outside the masks; undefined: no mask
  at::Tensor kept;     ///< values that entries outside return to, of `freeze = update` and `state`
  int64_t frozen = 0;  ///< elements of parameters that are not trained
  int64_t masked = 0;  ///< elements outside masks
  bool acted = false;  ///< a mask has set a gradient to zero that was not
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
  std::optional<Scope> scope;
  std::vector<BufferScope> scopes;  ///< by buffer, under `scope`
  std::vector<Weights> leaves;      ///< by buffer
  int64_t rescopes = 0;
  bool restricted = false, masked = false, acted = false;  ///< in any scope so far: something frozen or slowed, a mask, a mask that acted
  mutable std::vector<at::Tensor> origins;                 ///< flat θ0 by buffer, made when first asked for

  State(const Family& model, const Weights& start, const TuneOptions& choices, Key key, at::Device where);

  ParameterGroup& z_group();
  at::Tensor mean_z() const;  ///< [dim]
  void hold_positions(size_t buffer);
  void rescope(size_t buffer);
  nlohmann::json describe_scope() const;
  void mask_gradient(size_t buffer);
  void undo_outside(size_t buffer);  ///< returns masked entries to their values

 private:
  void add_bound(Key key);
  void add_parts();
  void add_group(const FlatBuffer& buffer, double lr);
  double decay_of(const Slice& slice) const;
  void apply_entry(size_t buffer, const Slice& slice, const Scope::Entry& entry);
  void add_constants();
  void apply_masks();
  void apply_mask(const Mask& mask, const std::string& name, bool zero);
  bool trains(const ParameterInfo& info) const;
};

}  // namespace tsrun
