#pragma once

#include "model/blocks.h"
#include "model/rotary.h"
#include "tsrun/model/family.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Causal decoders with norms before each block: GPT-2, Llama and their kin. A family says how its config.json and its weights are called.
namespace tsrun {

struct DecoderConfig {
  int64_t vocabulary = 0, hidden = 0, layers = 0, intermediate = 0, positions = 0;
  int64_t heads = 0, key_heads = 0, head_size = 0;  ///< each key head serves heads / key_heads query heads
  Activation activation = Activation::silu;
  bool root_mean_square = true;  ///< RMSNorm rather than LayerNorm
  bool transposed = false;       ///< weights of linear maps stand as [inputs, outputs] (GPT-2's Conv1D)
  bool attention_bias = false;   ///< of query, key and value
  bool output_bias = false;      ///< of the attention's output projection
  bool feed_forward_bias = false;
  bool tied = true;               ///< the word scores use the word embeddings
  bool scaled_residuals = false;  ///< projections back to the stream start smaller by √(2 layers) (GPT-2)
  bool scaled_scores = true;      ///< attention's scores are divided by √head_size
  bool scaled_by_layer = false;   ///< and by the layer's number, counted from 1 (GPT-2)
  std::vector<int64_t> windows;   ///< tokens that each layer's queries see, themselves included; 0: all before them; empty: all, everywhere
  std::optional<Rotary> rotary;   ///< none: learned positions
  double embedding_dropout = 0, attention_dropout = 0, residual_dropout = 0;
  double tag_dropout = 0.1;  ///< before the classes of tokens
  double norm_epsilon = 1e-5, initializer_range = 0.02;
  int64_t padding_id = -1;  ///< pad_token_id; classes are read from the last token that is not it; -1: none
};

/// Modules by the names that transformers gives them. Those of a layer stand behind `layer` with the layer's number for {}.
struct DecoderNames {
  std::string base, layer;
  std::string words, places, final_norm;  ///< behind `base`; no places: rotary
  std::string query_key_value;            ///< one map for the three; empty: three maps
  std::string query, key, value;
  std::string attention_norm, attention_output, feed_forward_norm;
  std::string gate;  ///< of a gated feed-forward block; empty: not gated
  std::string feed_forward_in, feed_forward_out;
  std::string tags = "score";  ///< classes of every token

  std::string layer_prefix(int64_t number) const;
};

struct DecoderSpec {
  std::string model_type;
  DecoderConfig config;
  DecoderNames names;
};

/// Before the classes of tokens: `classifier_dropout`, else `hidden_dropout`, else 0.1.
double read_tag_dropout(const ConfigReader& reader);

/// @throws Error(user) naming `where` when the family has no such head.
std::unique_ptr<Family> make_decoder(DecoderSpec spec, const nlohmann::json& json, const HeadSpec& head, const std::string& where);

std::vector<ParameterInfo> decoder_parameters(const DecoderSpec& spec, const HeadSpec& head);

/// The embeddings, eight sites a layer in the order of the forward pass, and the final norm.
std::vector<Site> decoder_sites(const DecoderSpec& spec);

}  // namespace tsrun
