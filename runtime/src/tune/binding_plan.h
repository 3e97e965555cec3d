#pragma once

#include "tsrun/tune/binding.h"
#include "tsrun/tune/flat_buffer.h"
#include "tune/chosen_entries.h"

#include <map>
#include <vector>

namespace tsrun::tune {

/// Positions of one flat buffer that do not follow training.
struct PinnedEntries {
  size_t buffer = 0;
  at::Tensor positions;  ///< int64, on the device
  at::Tensor values;     ///< what they are held at
};

/// Positions of a mask, on trained parameters and on frozen ones.
struct MaskUse {
  std::string name;  ///< "zeroed", "held"
  bool hold = true;
  int64_t requested = 0, on_trained = 0, on_frozen = 0;
};

/// Effect of the scope in force on one buffer.
struct BufferScope {
  at::Tensor outside;    ///< bool [total], true outside the masks; undefined: no entry is outside
  at::Tensor kept;       ///< values that entries outside return to, of `freeze = update` and `state`
  at::Tensor forgotten;  ///< bool [total], true where moments start at zero; undefined: nowhere
  int64_t frozen = 0;    ///< elements of parameters that are not trained
  int64_t masked = 0;    ///< elements outside masks
  bool acted = false;    ///< a mask has set a gradient to zero that was not
};

}  // namespace tsrun::tune

/// Everything a binding owns. Buffers come in the order of their groups; `bound` is the buffer that a subspace writes.
struct tsrun::Binding::State {
  const Family* family = nullptr;
  TuneOptions options;
  at::Device device = at::kCPU;
  Weights origin, weights;
  std::vector<FlatBuffer> buffers;
  std::map<size_t, tune::ChosenEntries> chosen;  ///< by buffer, of a compact scope
  std::vector<ParameterGroup> groups;
  std::optional<size_t> bound;
  at::Tensor bound_origin;  ///< θ0 of the bound buffer; with zeros where a mask zeroes at the start
  at::Tensor composed;      ///< the z that the bound buffer shows now
  std::vector<tune::PinnedEntries> held;
  std::vector<tune::MaskUse> masks;
  std::map<std::string, int64_t> frozen;    ///< part → numbers
  Scope scope;                              ///< in force: the options' and the last one given
  std::vector<tune::BufferScope> scopes;    ///< by buffer, under `scope`
  std::vector<Weights> leaves;              ///< by buffer
  ScopeUse use;                             ///< so far
  mutable std::vector<at::Tensor> origins;  ///< flat θ0 by buffer, made when first asked for

  State(const Family& model, const Weights& start, const TuneOptions& choices, Key key, at::Device where);

  ParameterGroup& z_group();
  at::Tensor mean_z() const;  ///< [dim]
  void hold_positions(size_t buffer);
  void apply(const Scope& in_force);
  const at::Tensor& origin_of(size_t buffer) const;
  nlohmann::json describe_scope() const;
  void mask_gradient(size_t buffer);
  void undo_outside(size_t buffer);  ///< returns masked entries to their values

 private:
  void add_bound(Key key);
  void add_group_rates();
  void add_parts();
  void add_part(Part part, double lr, bool owned);
  void add_chosen(Part part, double lr);
  void add_group(const FlatBuffer& buffer, double lr, bool owned = false);
  double decay_of(const Slice& slice) const;
  void apply(size_t buffer);
  void apply_entry(size_t buffer, const Slice& slice, const Scope::Entry& entry);
  at::Tensor outside_of(size_t buffer, const Slice& slice, const at::Tensor& mask) const;
  void forget(size_t buffer, const tune::BufferScope& before);
  void check_compact() const;
  void check_owned() const;
  bool is_compact(const ParameterInfo& info) const;
  void add_constants();
  void apply_masks();
  void apply_mask(const Mask& mask, const std::string& name, bool zero);
  bool trains(const ParameterInfo& info) const;
};
