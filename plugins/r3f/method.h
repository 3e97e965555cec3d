#pragma once

#include "tsrun/tune/regularizer.h"

#include <functional>

namespace tsrun::r3f {

/// Noise on the word embeddings of one row in a step, [numbers], float32 on the host.
using Noise = std::function<at::Tensor(int64_t row, int64_t numbers, const Step& step)>;

/// @throws Error(user) when the model has no head
std::unique_ptr<Regularizer> make_r3f(const MethodInputs& inputs, const Options& options, Noise noise);

/// R3F, robust representations through regularised fine-tuning (Aghajanyan et al., ICLR 2021).
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "r3f"; }
  std::string doc() const override {
    return "Runs each batch again with noise on its word embeddings and adds the symmetric divergence of the predictions.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::r3f
