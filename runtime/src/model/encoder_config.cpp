#include "model/encoder_config.h"

#include "tsrun/base/error.h"

namespace tsrun::model {
namespace {

constexpr int64_t largest_table = int64_t{1} << 24;  // keeps every product of two sizes far from overflow

void read_encoder_sizes(const ConfigReader& reader, const EncoderFields& fields, EncoderConfig& config) {
  config.vocabulary = reader.integer("vocab_size", 1, largest_table);
  config.hidden = reader.integer(fields.hidden, 1, int64_t{1} << 16);
  config.embedding = config.hidden;
  config.layers = reader.integer(fields.layers, 1, 1024);
  config.heads = reader.integer(fields.heads, 1, int64_t{1} << 16);
  config.intermediate = reader.integer(fields.intermediate, 1, int64_t{1} << 18);
  config.table_rows = reader.integer(fields.positions, 1, largest_table);
  config.segments = fields.segments.empty() ? 0 : reader.integer(fields.segments, 1, 1024, 2);
  if (config.hidden % config.heads != 0) {
    data_error("{}: {} is {} and {} is {}, expected a number of heads that divides {}", reader.where(), fields.hidden, config.hidden,
               fields.heads, config.heads, fields.hidden);
  }
}

}  // namespace

std::vector<std::string> names_of(const EncoderFields& fields) {
  std::vector<std::string> names;
  for (const std::string* name :
       {&fields.hidden, &fields.layers, &fields.heads, &fields.intermediate, &fields.segments, &fields.activation, &fields.norm_epsilon,
        &fields.hidden_dropout, &fields.attention_dropout, &fields.classifier_dropout, &fields.positions}) {
    if (!name->empty()) names.push_back(*name);
  }
  return names;
}

std::vector<std::pair<std::string, std::vector<std::string>>> sizes_of(const EncoderFields& fields) {
  return {{"layers", {fields.layers}},       {"hidden", {fields.hidden}},
          {"heads", {fields.heads}},         {"intermediate", {fields.intermediate}},
          {"positions", {fields.positions}}, {"dropout", {fields.hidden_dropout, fields.attention_dropout}}};
}

EncoderConfig read_encoder_config(const nlohmann::json& json, const std::string& where, const EncoderFields& fields) {
  constexpr double most = 0.99;  // a dropout of 1 leaves nothing to scale
  const ConfigReader reader(json, where);
  EncoderConfig config;
  read_encoder_sizes(reader, fields, config);
  config.activation = parse_activation(reader.text(fields.activation, "gelu"), where, fields.activation);
  config.hidden_dropout = reader.number(fields.hidden_dropout, 0, most, 0.1);
  config.output_dropout = config.hidden_dropout;
  config.attention_dropout = reader.number(fields.attention_dropout, 0, most, 0.1);
  const double otherwise = fields.default_classifier_dropout < 0 ? config.hidden_dropout : fields.default_classifier_dropout;
  config.classifier_dropout = reader.number(fields.classifier_dropout, 0, most, otherwise);
  if (!fields.norm_epsilon.empty()) config.norm_epsilon = reader.number(fields.norm_epsilon, 0, 1, 1e-12);
  config.initializer_range = reader.number("initializer_range", 0, 10, 0.02);
  config.tied = reader.flag("tie_word_embeddings", true);
  config.padding_id = reader.has("pad_token_id") ? reader.integer("pad_token_id", -1, config.vocabulary - 1) : -1;
  return config;
}

}  // namespace tsrun::model
