#pragma once

#include "model/blocks.h"
#include "model/rotary.h"
#include "tsrun/model/family.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Causal decoders with norms before each block: GPT-2, Llama and similar models. A family declares its field and weight names.
namespace tsrun::model {

struct DecoderConfig {
  int64_t vocabulary = 0, hidden = 0, layers = 0, intermediate = 0, positions = 0;
  int64_t heads = 0, key_heads = 0, head_size = 0;  ///< each key head serves heads / key_heads query heads
  Activation activation = Activation::silu;
  bool root_mean_square = true;  ///< RMSNorm rather than LayerNorm
  bool transposed = false;       ///< weights of linear layers are [inputs, outputs] (GPT-2's Conv1D)
  bool attention_bias = false;   ///< of query, key and value
  bool output_bias = false;      ///< of the attention's output projection
  bool feed_forward_bias = false;
  bool tied = true;               ///< the LM head shares the word embeddings
  bool scaled_residuals = false;  ///< output projections are initialised smaller by √(2 layers) (GPT-2)
  bool scaled_scores = true;      ///< attention scores are divided by √head_size
  bool scaled_by_layer = false;   ///< and by the layer's 1-based number (GPT-2)
  std::vector<int64_t> windows;   ///< attention window of each layer, the query included; 0: all tokens before it; empty: 0 in every layer
  std::optional<Rotary> rotary;   ///< none: learned positions
  double embedding_dropout = 0, attention_dropout = 0, residual_dropout = 0;
  double tag_dropout = 0.1;  ///< of the token classifier's input
  double norm_epsilon = 1e-5, initializer_range = 0.02;
  int64_t padding_id = -1;  ///< pad_token_id; a row is classified at its last token other than padding; -1: none
};

/// Names of modules in transformers. Those of a layer follow `layer`, with the layer's number for {}.
struct DecoderNames {
  std::string base, layer;
  std::string words, places, final_norm;  ///< behind `base`; no places: rotary
  std::string query_key_value;            ///< one linear layer for the three; empty: three layers
  std::string query, key, value;
  std::string attention_norm, attention_output, feed_forward_norm;
  std::string gate;  ///< of a gated feed-forward block; empty: not gated
  std::string feed_forward_in, feed_forward_out;
  std::string tags = "score";  ///< token classifier

  std::string layer_prefix(int64_t number) const;
};

struct DecoderSpec {
  std::string model_type;
  DecoderConfig config;
  DecoderNames names;
};

/// Dropout of the token classifier: `classifier_dropout`, else `hidden_dropout`, else 0.1.
double read_tag_dropout(const ConfigReader& reader);

/// @throws Error(user) naming `where` when the family has no such head.
std::unique_ptr<Family> make_decoder(DecoderSpec spec, const nlohmann::json& json, const HeadSpec& head, const std::string& where);

std::vector<ParameterInfo> decoder_parameters(const DecoderSpec& spec, const HeadSpec& head);

/// The embeddings, eight sites a layer in the order of the forward pass, and the final norm.
std::vector<Site> decoder_sites(const DecoderSpec& spec);

}  // namespace tsrun::model
