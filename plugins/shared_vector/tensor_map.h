#pragma once

#include "tsrun/base/hash.h"
#include "tsrun/train/adafactor.h"

#include <ATen/core/Tensor.h>

#include <span>
#include <string>
#include <vector>

namespace tsrun::shared_vector {

/// Some of a map's numbers. Shares the map's memory.
struct Numbers {
  std::string name;  ///< "gaussian"
  at::Tensor values;
};

/// x ∈ R^d ↦ V x + b ∈ R^D, one for each tensor of the model or of a delta. V depends linearly on the numbers that training moves.
class TensorMap {
 public:
  virtual ~TensorMap() = default;
  virtual void expand(std::span<const float> x, std::span<float> out) const = 0;    ///< out += V x + b
  virtual void project(std::span<const float> g, std::span<double> out) const = 0;  ///< out += Vᵀ g
  /// `g` is the gradient of a loss with respect to V x + b: adds the gradient with respect to x to `out`, then moves the map's own numbers.
  virtual void learn(const AdafactorRule& rule, std::span<const float> x, std::span<const float> g, std::span<double> out) = 0;
  virtual std::vector<Numbers> numbers() const = 0;  ///< what training moves
  virtual std::vector<Numbers> squares() = 0;        ///< Adafactor's means of squares; zeros before the first step
  virtual void forget_squares() = 0;
  /// The first numbers as the key drew them: shows whether another machine draws the same.
  virtual void add_to(Sha256& digest) const = 0;
};

/// The floats of a contiguous tensor in host memory.
inline std::span<float> floats(const at::Tensor& tensor) { return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())}; }

}  // namespace tsrun::shared_vector
