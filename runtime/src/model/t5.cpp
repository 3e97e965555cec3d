#include "model/t5.h"

#include "model/config_reader.h"
#include "model/families.h"
#include "tsrun/base/error.h"

namespace tsrun {
namespace {

/// "relu", or "gated-gelu", which is the tanh form there.
void read_feed_forward(const ConfigReader& reader, T5Config& config) {
  std::string name = reader.text("feed_forward_proj", "relu");
  config.gated = name.starts_with("gated-");
  if (config.gated) name = name.substr(6);
  config.activation = config.gated && name == "gelu" ? Activation::gelu_tanh : parse_activation(name, reader.where(), "feed_forward_proj");
}

T5Config read_t5_config(const nlohmann::json& json, const std::string& where) {
  const ConfigReader reader(json, where);
  T5Config config;
  config.vocabulary = reader.integer("vocab_size", 1, int64_t{1} << 24);
  config.hidden = reader.integer("d_model", 1, int64_t{1} << 16);
  config.head_size = reader.integer("d_kv", 1, int64_t{1} << 12);
  config.heads = reader.integer("num_heads", 1, int64_t{1} << 12);
  config.intermediate = reader.integer("d_ff", 1, int64_t{1} << 18);
  config.encoder_layers = reader.integer("num_layers", 1, 1024);
  config.decoder_layers = reader.integer("num_decoder_layers", 1, 1024, config.encoder_layers);
  config.buckets = reader.integer("relative_attention_num_buckets", 4, 4096, 32);
  config.max_distance = reader.integer("relative_attention_max_distance", 2, 1 << 20, 128);
  if (config.max_distance <= config.buckets / 2)
    data_error("{}: relative_attention_max_distance is {}, expected more than half of relative_attention_num_buckets, which is {}", where,
               config.max_distance, config.buckets);
  config.dropout = reader.number("dropout_rate", 0, 0.99, 0.1);
  config.norm_epsilon = reader.number("layer_norm_epsilon", 0, 1, 1e-6);
  config.initializer_factor = reader.number("initializer_factor", 0, 100, 1.0);
  // transformers 4 says by tie_word_embeddings which of the two shapes it is; transformers 5 by scale_decoder_outputs.
  config.scaled_scores = reader.flag("scale_decoder_outputs", reader.flag("tie_word_embeddings", true));
  config.tied = config.scaled_scores && reader.flag("tie_word_embeddings", true);
  const int64_t padding = reader.integer("pad_token_id", 0, config.vocabulary - 1, 0);
  config.decoder_start = reader.integer("decoder_start_token_id", 0, config.vocabulary - 1, padding);
  read_feed_forward(reader, config);
  return config;
}

std::unique_ptr<Family> make_t5(const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  if (head.kind != HeadKind::none && head.kind != HeadKind::seq2seq_lm)
    user_error("{}: model_type 't5' reads text and writes text: it has no {} head; give it the task as text_to_text", where,
               name_of(head.kind));
  return make_t5_family(read_t5_config(json, where), json, head);
}

std::string t5_architecture(HeadKind head) { return head == HeadKind::none ? "T5Model" : "T5ForConditionalGeneration"; }

}  // namespace

FamilyEntry t5_family() {
  return {"t5",
          make_t5,
          {"",
           {},
           // The word embeddings again, and what the first release left in its checkpoints.
           {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "EncDecAttention.relative_attention_bias.weight"},
           {"lm_head."},
           {{"lm_head.weight", "shared.weight"}}},  // transformers 5 leaves the scores out of a checkpoint while they are the embeddings
          t5_architecture};
}

}  // namespace tsrun
