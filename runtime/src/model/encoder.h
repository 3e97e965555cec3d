#pragma once

#include "model/blocks.h"
#include "tsrun/model/family.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>

/// Encoders with norms after the residual sums: BERT and its descendants. A family declares names of fields, weights and heads; the
/// computation is the same.
namespace tsrun::model {

/// Sizes and options of the computation.
struct EncoderConfig {
  int64_t vocabulary = 0, hidden = 0, layers = 0, heads = 0, intermediate = 0;
  int64_t embedding = 0;       ///< width of the embeddings; differs from `hidden` where a projection follows (ELECTRA)
  int64_t table_rows = 0;      ///< of the position embeddings
  int64_t first_position = 0;  ///< row of a sequence's first token (RoBERTa: padding id + 1)
  int64_t segments = 0;        ///< 0: no segment embeddings
  Activation activation = Activation::gelu;
  double hidden_dropout = 0.1;     ///< of the embeddings and the feed-forward output
  double output_dropout = 0.1;     ///< of the attention output
  double attention_dropout = 0.1;  ///< of the attention's probabilities
  double classifier_dropout = 0.1;
  double norm_epsilon = 1e-12, initializer_range = 0.02;
  bool tied = true;         ///< the LM head shares the word embeddings
  int64_t padding_id = -1;  ///< its embedding is initialised with zeros; -1: none

  int64_t positions() const { return table_rows - first_position; }
};

/// Names of modules in transformers. Those of a layer follow `layer`, with the layer's number for {}.
struct EncoderNames {
  std::string base;        ///< "bert."
  std::string layer;       ///< "bert.encoder.layer.{}."
  std::string projection;  ///< from embeddings to hidden width, behind `base`; used when the widths differ
  std::string query = "attention.self.query", key = "attention.self.key", value = "attention.self.value";
  std::string attention_output = "attention.output.dense", attention_norm = "attention.output.LayerNorm";
  std::string feed_forward_in = "intermediate.dense", feed_forward_out = "output.dense", output_norm = "output.LayerNorm";

  std::string layer_prefix(int64_t number) const;
};

/// Classification (or regression) of a row's first token: `first`, an activation, dropout, `second`.
struct ClassHead {
  std::string first, second;
  Part first_part = Part::head;
  enum class Between { tanh, gelu, relu } between = Between::tanh;
  bool dropout_before_first = false;
};

/// Classification of every token: dropout, `module`.
struct TagHead {
  std::string module = "classifier";
  std::optional<double> dropout = {};  ///< absent: the classifier's
};

/// Masked-LM head: `dense` to the embedding width, an activation, `norm`, the transposed word embeddings (`scores` where untied), and a
/// bias.
struct WordHead {
  std::string dense, norm, bias, scores;
  Activation activation = Activation::gelu;
};

/// ELECTRA's discriminator, one logit a token: `dense`, the encoder's activation, `prediction`.
struct ReplacedTokenHead {
  std::string dense, prediction;
};

struct EncoderSpec {
  std::string model_type;
  EncoderConfig config;
  EncoderNames names;
  ClassHead classes;
  TagHead tags;
  std::optional<WordHead> words;
  std::optional<ReplacedTokenHead> replaced;
};

/// @throws Error(user) naming `where` when the family has no such head.
std::unique_ptr<Family> make_encoder(EncoderSpec spec, const nlohmann::json& json, const HeadSpec& head, const std::string& where);

/// All parameters in module order: embeddings, layers, pooler where the head has one, head.
std::vector<ParameterInfo> encoder_parameters(const EncoderSpec& spec, const HeadSpec& head);

/// The site map: the embeddings, then eight sites a layer in the order of the forward pass.
std::vector<Site> encoder_sites(const EncoderSpec& spec);

}  // namespace tsrun::model
