#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::lora {

enum class Start { kaiming, gaussian, orthogonal, pissa };

/// One adapted map.
struct Map {
  Target target;
  int64_t rank = 0;
  double scale = 0;  ///< s

  std::string a() const { return target.module.name + ".lora_A.weight"; }
  std::string b() const { return target.module.name + ".lora_B.weight"; }
  std::string magnitude() const { return target.module.name + ".lora_magnitude_vector"; }
  std::string weight() const { return target.module.name + ".weight"; }
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
  const Map* map_of(std::string_view tensor) const;
  at::Tensor merged(const Map& map, const Weights& weights) const;

  std::vector<Map> maps_;
  Start start_;
  bool dora_;
  double dropout_;
};

}  // namespace tsrun::lora
