// AWD-LSTM (Merity, Keskar & Socher 2018): config.json, parameters and sites.
#include "model/awd_lstm.h"

#include "model/config_reader.h"
#include "model/families.h"
#include "model/family_base.h"
#include "model/parameter_list.h"
#include "tsrun/base/error.h"

namespace tsrun::model {
namespace {

AwdLstmConfig read_awd_lstm_config(const nlohmann::json& json, const std::string& where) {
  constexpr double most = 0.99;  // a dropout of 1 leaves nothing to scale
  const ConfigReader reader(json, where);
  AwdLstmConfig config;
  config.vocabulary = reader.integer("vocab_size", 1, int64_t{1} << 24);
  config.embedding = reader.integer("embedding_size", 1, int64_t{1} << 16, 400);
  config.hidden = reader.integer("hidden_size", 1, int64_t{1} << 16, 1150);
  config.layers = reader.integer("num_hidden_layers", 1, 1024, 3);
  config.tied = reader.flag("tie_word_embeddings", true);
  config.output_bias = reader.flag("output_bias", true);
  config.embedding_dropout = reader.number("embedding_dropout", 0, most, 0.1);
  config.input_dropout = reader.number("input_dropout", 0, most, 0.65);
  config.hidden_dropout = reader.number("hidden_dropout", 0, most, 0.3);
  config.output_dropout = reader.number("output_dropout", 0, most, 0.4);
  config.weight_dropout = reader.number("weight_dropout", 0, most, 0.5);
  config.initializer_range = reader.number("initializer_range", 0, 10, 0.1);
  return config;
}

std::unique_ptr<Family> make_awd_lstm(const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  check_head(head, where);
  if (head.kind != HeadKind::causal_lm && head.kind != HeadKind::none)
    user_error("{}: model_type 'awd_lstm' has no {} head; expected a task that a causal language model writes or scores", where,
               name_of(head.kind));
  return make_awd_lstm_family(read_awd_lstm_config(json, where), json, head);
}

std::string awd_lstm_architecture(HeadKind head) { return head == HeadKind::none ? "AwdLstmModel" : "AwdLstmForCausalLM"; }

/// Aliases are fastai's names.
FieldRules awd_lstm_fields() {
  return {{"embedding_size", "hidden_size", "num_hidden_layers", "output_bias", "embedding_dropout", "input_dropout", "hidden_dropout",
           "output_dropout", "weight_dropout"},
          {},
          {{"bidir", {false}}},
          {{"emb_sz", "embedding_size"},
           {"n_hid", "hidden_size"},
           {"n_layers", "num_hidden_layers"},
           {"tie_weights", "tie_word_embeddings"},
           {"out_bias", "output_bias"},
           {"embed_p", "embedding_dropout"},
           {"input_p", "input_dropout"},
           {"hidden_p", "hidden_dropout"},
           {"output_p", "output_dropout"},
           {"weight_p", "weight_dropout"}},
          {{"layers", {"num_hidden_layers"}},
           {"hidden", {"hidden_size", "embedding_size"}},
           {"dropout", {"embedding_dropout", "input_dropout", "hidden_dropout", "output_dropout", "weight_dropout"}}}};
}

}  // namespace

std::string awd_lstm_prefix(int64_t layer) { return "rnns." + std::to_string(layer) + "."; }

std::string awd_lstm_words(const AwdLstmConfig& config) { return config.tied ? "encoder.weight" : "lm_head.weight"; }

std::vector<ParameterInfo> awd_lstm_parameters(const AwdLstmConfig& config, const HeadSpec& head) {
  std::vector<ParameterInfo> all;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, Part part, int layer, ParameterKind kind, const char* module) {
    all.push_back({name, std::move(shape), part, layer, kind, module, /*transposed=*/false});
  };
  add("encoder.weight", {config.vocabulary, config.embedding}, Part::embeddings, -1, ParameterKind::embedding, "encoder");
  for (int64_t number = 0; number < config.layers; ++number) {
    const int layer = static_cast<int>(number);
    const int64_t gates = 4 * config.width(number);
    const std::string prefix = awd_lstm_prefix(number);
    add(prefix + "weight_ih_l0", {gates, config.inputs(number)}, Part::encoder, layer, ParameterKind::weight, "ih");
    add(prefix + "weight_hh_l0", {gates, config.width(number)}, Part::encoder, layer, ParameterKind::weight, "hh");
    add(prefix + "bias_ih_l0", {gates}, Part::encoder, layer, ParameterKind::bias, "ih");
    add(prefix + "bias_hh_l0", {gates}, Part::encoder, layer, ParameterKind::bias, "hh");
  }
  if (head.kind != HeadKind::causal_lm) return all;
  if (!config.tied) add("lm_head.weight", {config.vocabulary, config.last_width()}, Part::head, -1, ParameterKind::weight, "lm_head");
  if (config.output_bias) add("lm_head.bias", {config.vocabulary}, Part::head, -1, ParameterKind::bias, "lm_head");
  return all;
}

std::vector<Site> awd_lstm_sites(const AwdLstmConfig& config) {
  std::vector<Site> sites = {{SiteKind::embeddings, -1, config.embedding, "encoder"}};
  for (int64_t layer = 0; layer < config.layers; ++layer)
    sites.push_back({SiteKind::recurrent_output, static_cast<int>(layer), config.width(layer), ""});
  return sites;
}

FamilyEntry awd_lstm_family() {
  return {"awd_lstm",
          make_awd_lstm,
          {"", {}, {}, {"lm_head."}, {"encoder.weight", {}, "lm_head.weight", "", ""}},
          awd_lstm_architecture,
          awd_lstm_fields()};
}

}  // namespace tsrun::model
