#include "model/bert_config.h"

#include "model/config_reader.h"
#include "tsrun/base/error.h"

namespace tsrun {
namespace {

constexpr int64_t largest = int64_t{1} << 24;  // keeps every product of two sizes far from overflow

void refuse_variants(const ConfigReader& reader) {
  const std::string positions = reader.text("position_embedding_type", "absolute");
  if (positions != "absolute") {
    data_error("{}: field 'position_embedding_type' is '{}', expected 'absolute', the only kind supported", reader.where(), positions);
  }
  for (const char* field : {"is_decoder", "add_cross_attention"}) {
    if (reader.flag(field, false))
      data_error("{}: field '{}' is true, expected false: only the encoder is supported", reader.where(), field);
  }
  if (!reader.flag("tie_word_embeddings", true)) {
    data_error("{}: field 'tie_word_embeddings' is false, expected true", reader.where());
  }
}

void read_sizes(const ConfigReader& reader, BertConfig& config) {
  config.vocabulary = reader.integer("vocab_size", 1, largest);
  config.hidden = reader.integer("hidden_size", 1, int64_t{1} << 16);
  config.layers = reader.integer("num_hidden_layers", 1, 1024);
  config.heads = reader.integer("num_attention_heads", 1, int64_t{1} << 16);
  config.intermediate = reader.integer("intermediate_size", 1, int64_t{1} << 18);
  config.positions = reader.integer("max_position_embeddings", 1, largest);
  config.segments = reader.integer("type_vocab_size", 1, 1024, 2);
  if (config.hidden % config.heads != 0) {
    data_error("{}: hidden_size is {} and num_attention_heads is {}, expected a number of heads that divides hidden_size", reader.where(),
               config.hidden, config.heads);
  }
}

}  // namespace

BertConfig read_bert_config(const nlohmann::json& json, const std::string& where) {
  constexpr double most = 0.99;  // a dropout of 1 leaves nothing to scale
  const ConfigReader reader(json, where);
  BertConfig config;
  refuse_variants(reader);
  read_sizes(reader, config);
  config.activation = parse_activation(reader.text("hidden_act", "gelu"), where);
  config.hidden_dropout = reader.number("hidden_dropout_prob", 0, most, 0.1);
  config.attention_dropout = reader.number("attention_probs_dropout_prob", 0, most, 0.1);
  config.classifier_dropout = reader.number("classifier_dropout", 0, most, config.hidden_dropout);
  config.norm_epsilon = reader.number("layer_norm_eps", 0, 1, 1e-12);
  config.initializer_range = reader.number("initializer_range", 0, 10, 0.02);
  config.padding_id = reader.has("pad_token_id") ? reader.integer("pad_token_id", -1, config.vocabulary - 1) : -1;
  return config;
}

}  // namespace tsrun
