#pragma once

#include "model/blocks.h"

#include <nlohmann/json.hpp>

#include <string>

namespace tsrun {

/// The fields of a BERT config.json that shape the computation (names and defaults as in transformers' BertConfig).
struct BertConfig {
  int64_t vocabulary = 0, hidden = 0, layers = 0, heads = 0, intermediate = 0, positions = 0, segments = 2;
  Activation activation = Activation::gelu;
  double hidden_dropout = 0.1, attention_dropout = 0.1, classifier_dropout = 0.1;
  double norm_epsilon = 1e-12, initializer_range = 0.02;
  int64_t padding_id = -1;  ///< its embedding starts as zeros; -1: none
};

/// @throws Error(data) naming `where` and the field that is missing, ill-typed, out of range or at odds with another.
BertConfig read_bert_config(const nlohmann::json& config, const std::string& where);

}  // namespace tsrun
