#pragma once

#include "choices.h"
#include "tsrun/tune/regularizer.h"

namespace tsrun::low_rank_moments {

/// APOLLO (Zhu et al., MLSys 2025, arXiv 2412.05270): the raw gradient, each channel (or the whole matrix) of which is scaled as Adam
/// scales it in a random projection of few dimensions.
class ApolloMethod final : public RegularizerMethod {
 public:
  std::string name() const override { return "apollo"; }
  std::string doc() const override {
    return "Scales gradients of matrices by channel, as Adam would in a random projection of few dimensions.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override { return wants_of(options, name()); }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::low_rank_moments
