#pragma once

#include "tsrun/tune/delta.h"

#include <optional>
#include <string>
#include <vector>

/// Shared by delta methods with small networks behind or beside the model's blocks: positions, activations, and hooks that add them.
namespace tsrun {

enum class BottleneckActivation { relu, gelu, silu, tanh };

/// One network's place.
struct Bottleneck {
  std::string site;    ///< name of the site's kind
  std::string module;  ///< map whose output it is added to
  std::string reads;   ///< map whose input it reads; empty: it reads what it is added to
  int layer = -1;
  int64_t width = 0;
};

/// A network as one forward pass has it: scale * up(activation(down(x))).
struct BottleneckNetwork {
  at::Tensor down, up;  ///< [bottleneck, width] and [width, bottleneck]
  std::optional<at::Tensor> down_bias, up_bias;
  BottleneckActivation activation = BottleneckActivation::relu;
  double scale = 1;

  at::Tensor operator()(const at::Tensor& x) const;
};

/// The options `style` (houlsby, pfeiffer, parallel) and `activation`.
Option bottleneck_style_option();
Option activation_option(const std::string& fallback);
BottleneckActivation bottleneck_activation(const std::string& name);

/// Places of a style: behind attention, cross-attention and feed-forward block (houlsby: Houlsby et al., ICML 2019), behind the
/// feed-forward block (pfeiffer: Pfeiffer et al., EACL 2021), or beside it, from its input to its output (parallel: He et al., ICLR 2022).
/// @throws Error(user) beginning with `method`'s name, when the model has no such place.
std::vector<Bottleneck> bottleneck_places(const Family& family, const std::string& style, const std::string& method);

/// Adds networks[i] at places[i] to what a forward pass does.
void install_bottlenecks(const std::vector<Bottleneck>& places, std::vector<BottleneckNetwork> networks, ForwardOptions& forward);

}  // namespace tsrun
