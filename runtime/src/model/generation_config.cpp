#include "tsrun/model/generation_config.h"

#include "model/config_reader.h"
#include "model/generation_fields.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <algorithm>
#include <limits>

namespace tsrun {
namespace {

using nlohmann::json;

constexpr int64_t any_count = int64_t{1} << 40, any_id = (int64_t{1} << 31) - 1;

/// A number or a list of numbers.
std::vector<int64_t> ids_of(const json& value, const std::string& name, const std::string& where) {
  std::vector<int64_t> ids;
  const json list = value.is_number() ? json::array({value}) : value;
  if (value.is_null()) return ids;
  for (const json& id : list) {
    if (!list.is_array() || !id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > any_id)
      data_error("{}: field '{}' is {}, expected an id from 0, or a list of them", where, name, value.dump());
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

/// [[ids], bias] each, or [ids] each for minus infinity.
std::vector<SequenceBias> biases_of(const json& value, const std::string& name, const std::string& where) {
  std::vector<SequenceBias> all;
  const bool words = name == "bad_words_ids";
  const auto check = [&](bool right) {
    if (!right)
      data_error("{}: field '{}' is {}, expected a list of {}", where, name, value.dump(), words ? "lists of ids" : "[ids, number]");
  };
  check(value.is_null() || value.is_array());
  for (const json& entry : value) {
    check(words ? entry.is_array() : entry.is_array() && entry.size() == 2 && entry[0].is_array() && entry[1].is_number());
    SequenceBias bias{ids_of(words ? entry : entry[0], name, where),
                      words ? -std::numeric_limits<float>::infinity() : entry[1].get<float>()};
    check(!bias.ids.empty());
    all.push_back(std::move(bias));
  }
  return all;
}

std::optional<int64_t> id_of(const model::ConfigReader& reader, const char* name) {
  return reader.has(name) ? std::optional(reader.integer(name, 0, any_id)) : std::nullopt;
}

std::vector<int64_t> end_ids_of(const GenerationConfig& config, const Tokenizer& tokenizer) {
  for (const json& value : {config.fields.value("eos_token_id", json()), config.config_end}) {
    if (!value.is_null()) return ids_of(value, "eos_token_id", config.where);
  }
  for (const SpecialToken token : {SpecialToken::end, SpecialToken::separator}) {
    if (const auto id = tokenizer.special_id(token)) return {*id};
  }
  return {};
}

ScoreOptions score_options(const json& fields, const model::ConfigReader& reader, const std::vector<int64_t>& ends) {
  const std::string& where = reader.where();
  const auto value = [&](const char* name) { return fields.value(name, json()); };
  ScoreOptions scores;
  scores.sequence_bias = biases_of(value("sequence_bias"), "sequence_bias", where);
  scores.repetition_penalty = reader.number("repetition_penalty", 1e-6, 1e6, 1.0);
  scores.no_repeat_ngram_size = reader.integer("no_repeat_ngram_size", 0, any_count, 0);
  scores.bad_words = biases_of(value("bad_words_ids"), "bad_words_ids", where);
  std::erase_if(scores.bad_words, [&](const SequenceBias& word) {
    return word.ids.size() == 1 && std::find(ends.begin(), ends.end(), word.ids[0]) != ends.end();
  });
  scores.min_new_tokens = reader.integer("min_new_tokens", 0, any_count, 0);
  scores.min_length = reader.has("min_new_tokens") ? 0 : reader.integer("min_length", 0, any_count, 0);
  scores.forced_begin = id_of(reader, "forced_bos_token_id");
  scores.forced_end = ids_of(value("forced_eos_token_id"), "forced_eos_token_id", where);
  scores.suppressed = ids_of(value("suppress_tokens"), "suppress_tokens", where);
  scores.suppressed_first = ids_of(value("begin_suppress_tokens"), "begin_suppress_tokens", where);
  return scores;
}

void check_strategy(const model::ConfigReader& reader, const json& fields) {
  if (reader.flag("do_sample", false)) {
    data_error(
        "{}: field 'do_sample' is true, but texts are not sampled here, they are written greedily or by beams; do_sample = false asks for "
        "that",
        reader.where());
  }
  if (fields.value("early_stopping", json()) == "never" && reader.integer("num_beams", 1, 256, 1) > 1)
    data_error("{}: field 'early_stopping' is \"never\", which is not done here; expected true or false", reader.where());
}

}  // namespace

GenerationConfig read_generation_config(const std::filesystem::path& folder, const json& config) {
  const auto path = folder / "generation_config.json";
  std::error_code ignored;
  GenerationConfig result;
  result.own_file = std::filesystem::exists(path, ignored);
  result.where = (result.own_file ? path : folder / "config.json").string();
  result.config_end = config.value("eos_token_id", json());
  if (result.own_file) {
    result.fields = read_json(path);
    if (!result.fields.is_object()) data_error("{}: holds {}, expected an object", path.string(), result.fields.type_name());
    return result;
  }
  for (const std::string& name : model::acting_generation_fields()) {
    if (config.contains(name)) result.fields[name] = config[name];
  }
  return result;
}

GenerateOptions generate_options(const GenerationConfig& config, const Tokenizer& tokenizer, const json& given, int64_t max_new_tokens) {
  if (given.value("do_sample", json()) == true) user_error("option 'do_sample' is true, but texts are not sampled here; expected false");
  json fields = config.fields;
  for (const auto& [name, value] : given.items()) {
    if (!value.is_null()) fields[name] = value;
  }
  model::check_generation_fields(fields, config.where);
  const model::ConfigReader reader(fields, config.where);
  check_strategy(reader, fields);
  GenerateOptions options;
  options.end_ids = end_ids_of(config, tokenizer);
  options.max_length = reader.has("max_new_tokens") ? 0 : reader.integer("max_length", 0, any_count, 0);
  options.max_new_tokens = reader.integer("max_new_tokens", 1, any_count, max_new_tokens);
  options.num_beams = reader.integer("num_beams", 1, 256, 1);
  options.length_penalty = reader.number("length_penalty", -1e6, 1e6, 1.0);
  options.early_stopping = fields.value("early_stopping", json()) != "never" && reader.flag("early_stopping", false);
  options.decoder_start = id_of(reader, "decoder_start_token_id");
  options.begin_id = id_of(reader, "bos_token_id");
  options.scores = score_options(fields, reader, options.end_ids);
  return options;
}

std::vector<int64_t> prompt_ids(const Tokenizer& tokenizer, const std::string& text, ModelKind model_kind, std::optional<int64_t> begin) {
  std::vector<int64_t> ids = tokenizer.encode(text).ids;
  if (model_kind == ModelKind::encoder_decoder) return ids;
  for (const SpecialToken token : {SpecialToken::end, SpecialToken::separator}) {
    if (!ids.empty() && tokenizer.special_id(token) == ids.back()) ids.pop_back();
  }
  if (!ids.empty()) return ids;
  if (!begin) begin = tokenizer.special_id(SpecialToken::begin);
  if (!begin) user_error("generate: an empty text, and the tokenizer has no token to begin with");
  return {*begin};
}

}  // namespace tsrun
