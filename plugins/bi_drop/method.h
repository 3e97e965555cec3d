#pragma once

#include "tsrun/tune/regularizer.h"

#include <vector>

namespace tsrun::bi_drop {

enum class Selection {
  perturbation,  ///< |mean| / deviation over the passes: gradients that dropout does not change
  scaling,       ///< |mean| / |value|: gradients that are large beside their weight
};

/// Of one tensor the mean of `gradients` (one a pass) inside the ceil(share · N) entries that `selection` ranks first, zero elsewhere.
at::Tensor selected_mean(const std::vector<at::Tensor>& gradients, const at::Tensor& value, Selection selection, double share);

/// Bi-Drop (Tong et al., Findings of EMNLP 2023), as its abstract lets one: a reading, not the paper's formulas.
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "bi_drop"; }
  std::string doc() const override {
    return "Takes gradients of each batch under several dropout masks and updates the weights on which they agree, or for which they are "
           "large.";
  }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::bi_drop
