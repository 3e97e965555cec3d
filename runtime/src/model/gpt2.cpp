// GPT-2 (Radford et al., 2019).
#include "model/config_reader.h"
#include "model/decoder.h"
#include "model/families.h"
#include "tsrun/base/error.h"

namespace tsrun::model {
namespace {

DecoderConfig read_gpt2_config(const nlohmann::json& json, const std::string& where) {
  constexpr double most = 0.99;  // a dropout of 1 leaves nothing to scale
  const ConfigReader reader(json, where);
  DecoderConfig config;
  config.scaled_scores = reader.flag("scale_attn_weights", true);
  config.scaled_by_layer = reader.flag("scale_attn_by_inverse_layer_idx", false);
  config.vocabulary = reader.integer("vocab_size", 1, int64_t{1} << 24);
  config.hidden = reader.integer("n_embd", 1, int64_t{1} << 16);
  config.layers = reader.integer("n_layer", 1, 1024);
  config.heads = config.key_heads = reader.integer("n_head", 1, int64_t{1} << 16);
  config.positions = reader.integer("n_positions", 1, int64_t{1} << 24, 1024);
  config.intermediate = reader.integer("n_inner", 1, int64_t{1} << 18, 4 * config.hidden);
  if (config.hidden % config.heads != 0) {
    data_error("{}: n_embd is {} and n_head is {}, expected a number of heads that divides n_embd", where, config.hidden, config.heads);
  }
  config.head_size = config.hidden / config.heads;
  config.activation = parse_activation(reader.text("activation_function", "gelu_new"), where, "activation_function");
  config.embedding_dropout = reader.number("embd_pdrop", 0, most, 0.1);
  config.attention_dropout = reader.number("attn_pdrop", 0, most, 0.1);
  config.residual_dropout = reader.number("resid_pdrop", 0, most, 0.1);
  config.norm_epsilon = reader.number("layer_norm_epsilon", 0, 1, 1e-5);
  config.tag_dropout = read_tag_dropout(reader);
  config.initializer_range = reader.number("initializer_range", 0, 10, 0.02);
  config.tied = reader.flag("tie_word_embeddings", true);
  config.root_mean_square = false;
  config.transposed = config.attention_bias = config.output_bias = config.feed_forward_bias = config.scaled_residuals = true;
  return config;
}

std::unique_ptr<Family> make_gpt2(const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  DecoderSpec spec;
  spec.model_type = "gpt2";
  spec.config = read_gpt2_config(json, where);
  DecoderNames& names = spec.names;
  names.base = "transformer.";
  names.layer = "transformer.h.{}.";
  names.tags = "classifier";
  names.words = "wte";
  names.places = "wpe";
  names.final_norm = "ln_f";
  names.query_key_value = "attn.c_attn";
  names.attention_norm = "ln_1";
  names.attention_output = "attn.c_proj";
  names.feed_forward_norm = "ln_2";
  names.feed_forward_in = "mlp.c_fc";
  names.feed_forward_out = "mlp.c_proj";
  return make_decoder(std::move(spec), json, head, where);
}

std::string gpt2_architecture(HeadKind head) {
  if (head == HeadKind::none) return "GPT2Model";
  if (head == HeadKind::token_classification) return "GPT2ForTokenClassification";
  return head == HeadKind::causal_lm ? "GPT2LMHeadModel" : "GPT2ForSequenceClassification";
}

FieldRules gpt2_fields() {
  return {{"n_embd", "n_layer", "n_head", "n_positions", "n_inner", "activation_function", "embd_pdrop", "attn_pdrop", "resid_pdrop",
           "layer_norm_epsilon", "classifier_dropout", "hidden_dropout", "scale_attn_weights", "scale_attn_by_inverse_layer_idx"},
          // The summary is the double-heads model's; scores are float32 in either order; it is a decoder whatever is said.
          {"summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout",
           "reorder_and_upcast_attn", "is_decoder", "n_ctx", "predict_special_tokens"},
          {},
          {{"hidden_size", "n_embd"},
           {"max_position_embeddings", "n_positions"},
           {"num_attention_heads", "n_head"},
           {"num_hidden_layers", "n_layer"}},
          {{"layers", {"n_layer"}},
           {"hidden", {"n_embd"}},
           {"heads", {"n_head"}},
           {"intermediate", {"n_inner"}},
           {"positions", {"n_positions"}},
           {"dropout", {"embd_pdrop", "attn_pdrop", "resid_pdrop"}}}};
}

}  // namespace

FamilyEntry gpt2_family() {
  return {"gpt2",
          make_gpt2,
          {"transformer.",
           {"wte.", "wpe.", "h.", "ln_f."},
           {".attn.bias", ".attn.masked_bias"},
           {"lm_head.", "score.", "classifier."},
           {"transformer.wte.weight", {}, "lm_head.weight", "", ""}},
          gpt2_architecture,
          gpt2_fields()};
}

}  // namespace tsrun::model
