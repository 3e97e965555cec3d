// Llama (Touvron et al., 2023), and what has its shape: Mistral with a sliding window, Qwen2 with biases at query, key and value and
// windows in some layers.
#include "model/config_reader.h"
#include "model/decoder.h"
#include "model/families.h"
#include "model/sliding_windows.h"
#include "tsrun/base/error.h"

namespace tsrun::model {
namespace {

/// What transformers takes for fields that a config.json lacks.
struct LlamaDefaults {
  int64_t key_heads, positions;  ///< key heads 0: as many as heads
};
LlamaDefaults defaults_of(const std::string& model_type) {
  if (model_type == "mistral") return {8, 131072};
  return model_type == "qwen2" ? LlamaDefaults{32, 32768} : LlamaDefaults{0, 2048};
}

void read_llama_sizes(const ConfigReader& reader, const LlamaDefaults& defaults, DecoderConfig& config) {
  config.vocabulary = reader.integer("vocab_size", 1, int64_t{1} << 24);
  config.hidden = reader.integer("hidden_size", 1, int64_t{1} << 16);
  config.layers = reader.integer("num_hidden_layers", 1, 1024);
  config.heads = reader.integer("num_attention_heads", 1, int64_t{1} << 16);
  const bool as_heads = reader.stated("num_key_value_heads") || defaults.key_heads == 0;  // null: as heads
  config.key_heads = reader.integer("num_key_value_heads", 1, int64_t{1} << 16, as_heads ? config.heads : defaults.key_heads);
  config.intermediate = reader.integer("intermediate_size", 1, int64_t{1} << 18);
  config.positions = reader.integer("max_position_embeddings", 1, int64_t{1} << 24, defaults.positions);
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
  DecoderSpec spec;
  spec.model_type = model_type;
  DecoderConfig& config = spec.config;
  read_llama_sizes(reader, defaults_of(model_type), config);
  if (model_type == "mistral") config.windows = read_mistral_windows(reader, json, config.layers);
  if (model_type == "qwen2") config.windows = read_qwen2_windows(reader, json, config.layers);
  config.rotary = read_rotary(json, where, config.head_size, config.positions);
  config.positions = config.rotary->reach();
  config.activation = parse_activation(reader.text("hidden_act", "silu"), where);
  config.attention_dropout = reader.number("attention_dropout", 0, 0.99, 0.0);
  config.norm_epsilon = reader.number("rms_norm_eps", 0, 1, 1e-6);
  config.tag_dropout = read_tag_dropout(reader);
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

const NameRules llama_names = {"model.",
                               {"embed_tokens.", "layers.", "norm."},
                               {"rotary_emb.inv_freq"},
                               {"lm_head.", "score."},
                               {"model.embed_tokens.weight", {}, "lm_head.weight", "", "", /*by_default=*/false}};

/// `own`: fields of the one family.
FieldRules llama_fields(const std::vector<std::string>& own) {
  FieldRules rules;
  rules.read = {"hidden_size",
                "num_hidden_layers",
                "num_attention_heads",
                "num_key_value_heads",
                "intermediate_size",
                "head_dim",
                "hidden_act",
                "attention_dropout",
                "classifier_dropout",
                "hidden_dropout",
                "rms_norm_eps",
                "rope_theta",
                "rope_scaling",
                "rope_parameters",
                "partial_rotary_factor",
                "max_position_embeddings",
                "original_max_position_embeddings"};
  rules.read.insert(rules.read.end(), own.begin(), own.end());
  // It is a decoder whatever is said; slices of products are the products; the rest is others' bookkeeping.
  rules.inert = {"is_decoder", "pretraining_tp", "is_llama_config", "max_sequence_length"};
  rules.sizes = {{"layers", {"num_hidden_layers"}},       {"hidden", {"hidden_size"}},
                 {"heads", {"num_attention_heads"}},      {"key_heads", {"num_key_value_heads"}},
                 {"intermediate", {"intermediate_size"}}, {"positions", {"max_position_embeddings"}},
                 {"dropout", {"attention_dropout"}}};
  return rules;
}

}  // namespace

FamilyEntry llama_family() {
  return {
      "llama",
      [](const nlohmann::json& json, const HeadSpec& head, const std::string& where) { return make_llama_of("llama", json, head, where); },
      llama_names, [](HeadKind head) { return llama_class("Llama", head); }, llama_fields({"attention_bias", "mlp_bias"})};
}

FamilyEntry mistral_family() {
  return {"mistral",
          [](const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
            return make_llama_of("mistral", json, head, where);
          },
          llama_names, [](HeadKind head) { return llama_class("Mistral", head); }, llama_fields({"sliding_window", "layer_types"})};
}

FamilyEntry qwen2_family() {
  return {
      "qwen2",
      [](const nlohmann::json& json, const HeadSpec& head, const std::string& where) { return make_llama_of("qwen2", json, head, where); },
      llama_names, [](HeadKind head) { return llama_class("Qwen2", head); },
      llama_fields({"use_sliding_window", "sliding_window", "max_window_layers", "layer_types"})};
}

}  // namespace tsrun::model
