#pragma once

#include "tsrun/tune/delta.h"

#include <map>
#include <mutex>
#include <utility>

namespace tsrun::lora {

enum class Start { kaiming, gaussian, orthogonal, pissa, release };

/// One adapted map.
struct Map {
  Target target;
  int64_t rank = 0;
  double scale = 0;  ///< s

  std::string a() const { return target.module.name + ".lora_A.weight"; }
  std::string b() const { return target.module.name + ".lora_B.weight"; }
  std::string magnitude() const { return target.module.name + ".lora_magnitude_vector"; }
  std::string weight() const { return target.module.name + ".weight"; }
  std::string bias() const { return target.module.name + ".bias"; }
};

class Lora final : public Delta {
 public:
  Lora(std::vector<Map> maps, Start start, bool dora, double dropout)
      : maps_(std::move(maps)), start_(start), dora_(dora), dropout_(dropout) {}

  std::vector<DeltaTensor> tensors() const override;
  std::vector<DeltaMatch> matches() const override;
  at::Tensor initial(const DeltaTensor& tensor, const Weights& origin, Key key) const override;
  void adjust_origin(const Weights& values, Weights& origin) const override;
  void override_weights(const Weights& weights, Weights& seen) const override;
  void install(const Weights& weights, ForwardOptions& forward) const override;
  std::optional<Weights> merge(const Weights& weights) const override;

 private:
  struct Low;
  Low low(const Map& map, const Weights& weights, const ForwardOptions& forward) const;
  const Map* map_of(std::string_view tensor) const;
  at::Tensor merged(const Map& map, const Weights& weights) const;
  /// DoRA's factor of each output, shaped to scale the weight; no gradient goes through the norm (the paper's section 4.3).
  at::Tensor rescaling(const Map& map, const Weights& weights, const at::Tensor& sum) const;
  /// DoRA as a change of the weight; with dropout there is no such weight, and what is added depends on the mask.
  bool acts_on_weights() const { return dora_ && dropout_ == 0; }
  at::Tensor principal_factor(const Map& map, const at::Tensor& weight, bool of_a) const;

  std::vector<Map> maps_;
  Start start_;
  bool dora_;
  double dropout_;
  /// A singular value decomposition gives A and B at once, but they are asked for one by one.
  struct Waiting {
    at::Tensor weight, b;
  };
  mutable std::mutex mutex_;
  mutable std::map<std::string, Waiting> waiting_;  ///< by map
};

}  // namespace tsrun::lora
