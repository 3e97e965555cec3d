#pragma once

#include "tsrun/tune/delta.h"

#include <map>
#include <mutex>
#include <utility>

namespace tsrun::lora {

enum class Init { kaiming, gaussian, orthogonal, pissa, release };

/// An adapted linear layer, or an embedding table, whose B A is [width, rows].
struct AdaptedLayer {
  Target target;
  int64_t rank = 0;
  double scale = 0;  ///< s

  bool embedding() const { return target.module.embedding; }
  std::string a() const { return target.module.name + (embedding() ? ".lora_embedding_A" : ".lora_A.weight"); }
  std::string b() const { return target.module.name + (embedding() ? ".lora_embedding_B" : ".lora_B.weight"); }
  std::string b_bias() const { return target.module.name + ".lora_B.bias"; }
  std::string magnitude() const { return target.module.name + ".lora_magnitude_vector"; }
  std::string weight() const { return target.module.weight; }
  std::string bias() const { return target.module.name + ".bias"; }
  /// Whether a change of the weight acts on this module alone and takes no more than its product.
  bool has_own_weight() const { return !target.module.shared && !embedding(); }
};

/// Options shared by all layers.
struct Choices {
  Init init = Init::kaiming;
  bool dora = false;
  bool bias_of_b = false;  ///< lora_bias
  double dropout = 0;
  std::string why_not_merged = {};  ///< empty: it can be
};

class Lora final : public Delta {
 public:
  Lora(std::vector<AdaptedLayer> layers, Choices choices) : layers_(std::move(layers)), choices_(choices) {}

  std::vector<DeltaTensor> tensors() const override;
  std::vector<DeltaMatch> matches() const override;
  at::Tensor initial(const DeltaTensor& tensor, const Weights& origin, Key key) const override;
  void adjust_origin(const Weights& values, Weights& origin) const override;
  std::vector<ModuleChange> changes() const override;
  void override_weights(const Weights& weights, Weights& seen) const override;
  void install(const Weights& weights, ForwardOptions& forward) const override;
  std::optional<Weights> merge(const Weights& weights) const override;
  std::string why_not_merged() const override { return choices_.why_not_merged; }
  std::vector<LowRankFactors> low_rank_factors() const override;

 private:
  struct LowRankUpdate;
  struct LowRankRows;
  void install_linear(const Weights& weights, ForwardOptions& forward) const;
  void install_embeddings(const Weights& weights, ForwardOptions& forward) const;
  void add_tensors(const AdaptedLayer& layer, std::vector<DeltaTensor>& tensors) const;
  LowRankUpdate low_rank_update(const AdaptedLayer& layer, const Weights& weights, const ForwardOptions& forward) const;
  LowRankRows low_rank_rows(const AdaptedLayer& layer, const Weights& weights) const;
  const AdaptedLayer* layer_of(std::string_view tensor) const;
  at::Tensor merged(const AdaptedLayer& layer, const Weights& weights) const;
  /// DoRA's factor of each output, shaped to scale the weight; no gradient goes through the norm (the paper's section 4.3).
  at::Tensor rescaling(const AdaptedLayer& layer, const Weights& weights, const at::Tensor& sum) const;
  /// DoRA as a change of the weight; with dropout there is no such weight, and what is added depends on the mask.
  bool acts_on_weight(const AdaptedLayer& layer) const { return choices_.dora && choices_.dropout == 0 && layer.has_own_weight(); }
  at::Tensor principal_factor(const AdaptedLayer& layer, const at::Tensor& weight, bool of_a) const;

  std::vector<AdaptedLayer> layers_;
  Choices choices_;
  /// A singular value decomposition gives A and B at once, but they are asked for one by one.
  struct Waiting {
    at::Tensor weight, b;
  };
  mutable std::mutex mutex_;
  mutable std::map<std::string, Waiting> waiting_;  ///< by layer
};

}  // namespace tsrun::lora
