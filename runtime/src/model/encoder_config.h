#pragma once

#include "model/config_reader.h"
#include "model/encoder.h"

#include <string>
#include <vector>

namespace tsrun::model {

/// Names of config.json's fields; the defaults are BERT's. A field with an empty name does not exist.
struct EncoderFields {
  std::string hidden = "hidden_size", layers = "num_hidden_layers", heads = "num_attention_heads", intermediate = "intermediate_size";
  std::string segments = "type_vocab_size", activation = "hidden_act", norm_epsilon = "layer_norm_eps";
  std::string hidden_dropout = "hidden_dropout_prob", attention_dropout = "attention_probs_dropout_prob";
  std::string classifier_dropout = "classifier_dropout";
  std::string positions = "max_position_embeddings";
  double default_classifier_dropout = -1;  ///< below 0: that of hidden_dropout
};

/// All of these names.
std::vector<std::string> names_of(const EncoderFields& fields);
/// Sizes of FieldRules.
std::vector<std::pair<std::string, std::vector<std::string>>> sizes_of(const EncoderFields& fields);

/// @throws Error(data) naming `where` and the field that is missing, ill-typed, out of range or at odds with another.
EncoderConfig read_encoder_config(const nlohmann::json& config, const std::string& where, const EncoderFields& fields = {});

}  // namespace tsrun::model
