// Llama (Touvron et al., 2023), and what has its shape: Mistral with a sliding window, Qwen2 with biases at query, key and value and
// windows in some layers.
#include "model/config_reader.h"
#include "model/decoder.h"
#include "model/families.h"
#include "tsrun/base/error.h"

namespace tsrun {
namespace {

/// What transformers takes for fields that a config.json lacks.
struct LlamaDefaults {
  int64_t key_heads, positions;  ///< key heads 0: as many as heads
};
LlamaDefaults defaults_of(const std::string& model_type) {
  if (model_type == "mistral") return {8, 131072};
  return model_type == "qwen2" ? LlamaDefaults{32, 32768} : LlamaDefaults{0, 2048};
}

/// `layer_types`, one for each layer; empty when they are not stated.
std::vector<std::string> read_layer_types(const ConfigReader& reader, const nlohmann::json& json, int64_t layers) {
  std::vector<std::string> types;
  if (!reader.has("layer_types")) return types;
  const nlohmann::json& given = json.at("layer_types");
  const auto wrong = [&](const nlohmann::json& found, const std::string& expected) {
    data_error("{}: field 'layer_types' is {}, expected {}", reader.where(), shortened(found), expected);
  };
  if (!given.is_array() || static_cast<int64_t>(given.size()) != layers)
    wrong(given, fmt::format("a list of {} types, one a layer (num_hidden_layers)", layers));
  for (const nlohmann::json& type : given) {
    if (type != "full_attention" && type != "attention" && type != "sliding_attention")
      wrong(type, "\"full_attention\" or \"sliding_attention\"");
    types.push_back(type == "attention" ? "full_attention" : type.get<std::string>());
  }
  return types;
}

/// `sliding_window`, which is 4096 in a config.json that lacks it and nothing in one that says null; 0: none.
int64_t read_window(const ConfigReader& reader) {
  if (reader.stated("sliding_window") && !reader.has("sliding_window")) return 0;
  return reader.integer("sliding_window", 1, int64_t{1} << 40, 4096);
}

/// Mistral's window is for all layers, and layer_types may only repeat that.
std::vector<int64_t> read_mistral_windows(const ConfigReader& reader, const nlohmann::json& json, int64_t layers) {
  const int64_t window = read_window(reader);
  const std::string expected = window > 0 ? "sliding_attention" : "full_attention";
  for (const std::string& type : read_layer_types(reader, json, layers)) {
    if (type != expected)
      data_error("{}: field 'layer_types' has \"{}\" and sliding_window is {}, expected \"{}\" for every layer", reader.where(), type,
                 window > 0 ? std::to_string(window) : "null", expected);
  }
  return std::vector<int64_t>(static_cast<size_t>(layers), window);
}

/// Qwen2's layers from max_window_layers on have the window, or those that layer_types names.
std::vector<int64_t> read_qwen2_windows(const ConfigReader& reader, const nlohmann::json& json, int64_t layers) {
  const int64_t window = reader.flag("use_sliding_window", false) ? read_window(reader) : 0;
  const int64_t first = reader.integer("max_window_layers", 0, int64_t{1} << 20, 28);
  const std::vector<std::string> types = read_layer_types(reader, json, layers);
  std::vector<int64_t> windows;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const bool slides = types.empty() ? window > 0 && layer >= first : types[static_cast<size_t>(layer)] == "sliding_attention";
    if (slides && window == 0)
      data_error(
          "{}: field 'layer_types' has \"sliding_attention\" for layer {}, but there is no window: expected use_sliding_window: true "
          "and a number for sliding_window",
          reader.where(), layer);
    windows.push_back(slides ? window : 0);
  }
  return windows;
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

}  // namespace tsrun
