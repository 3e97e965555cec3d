#pragma once

#include "model/blocks.h"
#include "tsrun/model/family.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

/// T5 (Raffel et al., 2020) in its two shapes: v1.0 (ReLU, one table for the embeddings and the word scores) and v1.1 (gated GELU, two).
/// An encoder and a decoder with RMSNorm before each block, no biases, and relative positions as a bias of the scores that the layers of a
/// stack share.
namespace tsrun::model {

struct T5Config {
  int64_t vocabulary = 0, hidden = 0, encoder_layers = 0, decoder_layers = 0, heads = 0, head_size = 0, intermediate = 0;
  int64_t buckets = 32, max_distance = 128;  ///< of the relative positions
  Activation activation = Activation::relu;
  bool gated = false;
  bool tied = true;           ///< the LM head shares the word embeddings
  bool scaled_scores = true;  ///< hidden states are divided by √hidden before the LM head
  double dropout = 0.1, norm_epsilon = 1e-6, initializer_factor = 1;
  int64_t decoder_start = 0;

  int64_t inner() const { return heads * head_size; }
  int64_t layers() const { return encoder_layers + decoder_layers; }
};

/// Prefix of a layer's names; the decoder's layers follow the encoder's: "decoder.block.1.".
std::string t5_layer_prefix(const T5Config& config, int64_t layer);
std::vector<ParameterInfo> t5_parameters(const T5Config& config, const HeadSpec& head);
/// Of the encoder: embeddings, eight sites a layer, final norm; of the decoder the same with thirteen a layer.
std::vector<Site> t5_sites(const T5Config& config);

std::unique_ptr<Family> make_t5_family(const T5Config& config, const nlohmann::json& json, const HeadSpec& head);

}  // namespace tsrun::model
