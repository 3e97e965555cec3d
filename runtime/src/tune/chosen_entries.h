#pragma once

#include "tsrun/tune/flat_buffer.h"

#include <vector>

namespace tsrun::tune {

/// Parameters of which chosen entries alone are trained (`Scope::compact`): their values and gradients lie end to end in a flat buffer,
/// and forward passes use the whole parameters, into which `scatter` writes the chosen values.
class ChosenEntries {
 public:
  /// The entries of `masked` parameters inside their masks, with values from `origin`. Parameters without a chosen entry are left out.
  ChosenEntries(std::string name, const std::vector<std::pair<const ParameterInfo*, at::Tensor>>& masked, const Weights& origin,
                at::Device device);

  /// Slices have the parameters' names and one dimension.
  const FlatBuffer& buffer() const { return buffer_; }
  /// Positions of the chosen entries of slice `i` in its parameter, int64 on the device.
  const at::Tensor& positions(size_t i) const { return positions_[i]; }
  /// Sets the whole parameters in `weights`, connected to the flat gradient: backward gathers the chosen entries.
  void add_to(Weights& weights) const;
  void scatter() const;
  /// `whole` (by parameter name) at the chosen entries, flat.
  at::Tensor gather(const Weights& whole) const;
  int64_t left_out() const { return left_out_; }  ///< entries outside the masks
  /// Whether an entry outside has had a gradient that was not zero.
  bool acted() const { return acted_.item<bool>(); }

 private:
  FlatBuffer buffer_;
  std::vector<at::Tensor> positions_, wholes_;  ///< by slice
  int64_t left_out_ = 0;
  at::Tensor acted_;  ///< bool scalar on the host
};

}  // namespace tsrun::tune
