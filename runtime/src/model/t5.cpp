#include "model/t5.h"

#include "model/config_reader.h"
#include "model/families.h"
#include "tsrun/base/error.h"

namespace tsrun::model {
namespace {

/// `feed_forward_proj`: an activation, with "gated-" in front where it gates; "gated-gelu" is the tanh form. transformers writes what it
/// made of that as `is_gated_act` and `dense_act_fn`, which win when it reads them back.
void read_feed_forward(const ConfigReader& reader, T5Config& config) {
  std::string name = reader.text("feed_forward_proj", "relu");
  const bool gated = name.starts_with("gated-");
  if (gated) name = name.substr(6);
  config.gated = reader.flag("is_gated_act", gated);
  if (gated && name == "gelu") name = "gelu_new";
  config.activation = parse_activation(name, reader.where(), "feed_forward_proj");
  if (reader.has("dense_act_fn")) config.activation = parse_activation(reader.text("dense_act_fn"), reader.where(), "dense_act_fn");
}

/// `scale_decoder_outputs` (transformers 5), else tie_word_embeddings, by which transformers 4 told the two shapes apart.
bool scales_scores(const ConfigReader& reader) { return reader.flag("scale_decoder_outputs", reader.flag("tie_word_embeddings", true)); }

/// transformers 5 ties the scores of every T5 unless a checkpoint has others.
void settle_t5_tie(nlohmann::json& config, bool tied) {
  config["scale_decoder_outputs"] = scales_scores(ConfigReader(config, "config"));
  config["tie_word_embeddings"] = tied;
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
  config.scaled_scores = scales_scores(reader);
  config.tied = reader.flag("tie_word_embeddings", true);
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

FieldRules t5_fields() {
  return {{"d_model", "d_kv", "num_heads", "d_ff", "num_layers", "num_decoder_layers", "relative_attention_num_buckets",
           "relative_attention_max_distance", "dropout_rate", "layer_norm_epsilon", "initializer_factor", "feed_forward_proj",
           "is_gated_act", "dense_act_fn", "scale_decoder_outputs"},
          {"n_positions", "classifier_dropout"},  // of places that are absolute, of heads that T5 has not here
          {{"is_encoder_decoder", {true}}},
          {{"hidden_size", "d_model"}, {"num_attention_heads", "num_heads"}, {"num_hidden_layers", "num_layers"}, {"head_dim", "d_kv"}},
          {{"layers", {"num_layers"}},
           {"hidden", {"d_model"}},
           {"heads", {"num_heads"}},
           {"head_size", {"d_kv"}},
           {"intermediate", {"d_ff"}},
           {"dropout", {"dropout_rate"}}}};
}

}  // namespace

FamilyEntry t5_family() {
  return {"t5",
          make_t5,
          {"",
           {},
           {"EncDecAttention.relative_attention_bias.weight"},  // what the first release left in its checkpoints
           {"lm_head."},
           {"shared.weight", {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}, "lm_head.weight", "", ""}},
          t5_architecture,
          t5_fields(),
          settle_t5_tie};
}

}  // namespace tsrun::model
