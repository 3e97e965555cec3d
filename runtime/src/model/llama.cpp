// Llama (Touvron et al., 2023), and what has its shape: Mistral without a sliding window, Qwen2 with biases at query, key and value.
#include "model/config_reader.h"
#include "model/decoder.h"
#include "model/families.h"
#include "tsrun/base/error.h"

namespace tsrun {
namespace {

void refuse_sliding_windows(const ConfigReader& reader, const std::string& model_type) {
  const bool in_use = model_type == "mistral" ? reader.has("sliding_window") : reader.flag("use_sliding_window", false);
  if (in_use)
    data_error("{}: a sliding window is not supported, expected {}", reader.where(),
               model_type == "mistral" ? "sliding_window: null" : "use_sliding_window: false");
}

void read_llama_sizes(const ConfigReader& reader, DecoderConfig& config) {
  config.vocabulary = reader.integer("vocab_size", 1, int64_t{1} << 24);
  config.hidden = reader.integer("hidden_size", 1, int64_t{1} << 16);
  config.layers = reader.integer("num_hidden_layers", 1, 1024);
  config.heads = reader.integer("num_attention_heads", 1, int64_t{1} << 16);
  config.key_heads = reader.integer("num_key_value_heads", 1, int64_t{1} << 16, config.heads);
  config.intermediate = reader.integer("intermediate_size", 1, int64_t{1} << 18);
  config.positions = reader.integer("max_position_embeddings", 1, int64_t{1} << 24, 2048);
  if (config.heads % config.key_heads != 0) {
    data_error("{}: num_attention_heads is {} and num_key_value_heads is {}, expected a divisor", reader.where(), config.heads,
               config.key_heads);
  }
  if (!reader.has("head_dim") && config.hidden % config.heads != 0) {
    data_error("{}: hidden_size is {} and num_attention_heads is {}, expected a number of heads that divides hidden_size", reader.where(),
               config.hidden, config.heads);
  }
  config.head_size = reader.integer("head_dim", 2, int64_t{1} << 12, config.hidden / config.heads);
  if (config.head_size % 2 != 0)
    data_error("{}: heads of size {}, expected an even size: rotary positions turn pairs", reader.where(), config.head_size);
}

std::unique_ptr<Family> make_llama_of(const std::string& model_type, const nlohmann::json& json, const HeadSpec& head,
                                      const std::string& where) {
  const ConfigReader reader(json, where);
  refuse_sliding_windows(reader, model_type);
  DecoderSpec spec;
  spec.model_type = model_type;
  DecoderConfig& config = spec.config;
  read_llama_sizes(reader, config);
  config.rotary = read_rotary(json, where);
  config.activation = parse_activation(reader.text("hidden_act", "silu"), where);
  config.attention_dropout = reader.number("attention_dropout", 0, 0.99, 0.0);
  config.norm_epsilon = reader.number("rms_norm_eps", 0, 1, 1e-6);
  config.tag_dropout = reader.number("classifier_dropout", 0, 0.99, 0.1);
  config.initializer_range = reader.number("initializer_range", 0, 10, 0.02);
  config.tied = reader.flag("tie_word_embeddings", false);
  config.attention_bias = model_type == "qwen2" || (model_type == "llama" && reader.flag("attention_bias", false));
  config.output_bias = model_type == "llama" && config.attention_bias;
  config.feed_forward_bias = model_type == "llama" && reader.flag("mlp_bias", false);
  DecoderNames& names = spec.names;
  names.base = "model.";
  names.layer = "model.layers.{}.";
  names.words = "embed_tokens";
  names.final_norm = "norm";
  names.query = "self_attn.q_proj";
  names.key = "self_attn.k_proj";
  names.value = "self_attn.v_proj";
  names.attention_norm = "input_layernorm";
  names.attention_output = "self_attn.o_proj";
  names.feed_forward_norm = "post_attention_layernorm";
  names.gate = "mlp.gate_proj";
  names.feed_forward_in = "mlp.up_proj";
  names.feed_forward_out = "mlp.down_proj";
  return make_decoder(std::move(spec), json, head, where);
}

std::string llama_class(const std::string& stem, HeadKind head) {
  if (head == HeadKind::none) return stem + "Model";
  if (head == HeadKind::token_classification) return stem + "ForTokenClassification";
  return stem + (head == HeadKind::causal_lm ? "ForCausalLM" : "ForSequenceClassification");
}

const NameRules llama_names = {"model.", {"embed_tokens.", "layers.", "norm."}, {"rotary_emb.inv_freq"}, {"lm_head.", "score."}};

}  // namespace

FamilyEntry llama_family() {
  return {
      "llama",
      [](const nlohmann::json& json, const HeadSpec& head, const std::string& where) { return make_llama_of("llama", json, head, where); },
      llama_names, [](HeadKind head) { return llama_class("Llama", head); }};
}

FamilyEntry mistral_family() {
  return {"mistral",
          [](const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
            return make_llama_of("mistral", json, head, where);
          },
          llama_names, [](HeadKind head) { return llama_class("Mistral", head); }};
}

FamilyEntry qwen2_family() {
  return {
      "qwen2",
      [](const nlohmann::json& json, const HeadSpec& head, const std::string& where) { return make_llama_of("qwen2", json, head, where); },
      llama_names, [](HeadKind head) { return llama_class("Qwen2", head); }};
}

}  // namespace tsrun
