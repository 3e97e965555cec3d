#include "tsrun/model/architecture.h"

#include "model/families.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>

namespace tsrun {

using nlohmann::json;

namespace model {
namespace {

/// Sizes of every family.
const std::vector<std::pair<std::string, std::vector<std::string>>> shared_sizes = {{"vocabulary", {"vocab_size"}},
                                                                                    {"tied", {"tie_word_embeddings"}}};

/// Fields that a size of `family` sets; none for a size that it lacks.
std::vector<std::string> fields_of_size(const FamilyEntry& family, const std::string& size) {
  for (const auto* list : {&family.fields.sizes, &shared_sizes}) {
    for (const auto& [name, fields] : *list)
      if (name == size) return fields;
  }
  return {};
}

std::vector<std::string> sizes_of_family(const FamilyEntry& family) {
  std::vector<std::string> names;
  for (const auto* list : {&family.fields.sizes, &shared_sizes})
    for (const auto& [name, fields] : *list) names.push_back(name);
  return names;
}

/// Fields that the user gave by their own names, aliases under the family's names.
json given_fields(const FamilyEntry& family, const Options& options) {
  json config = json::object();
  const OptionTable sizes = architecture_options();
  for (const auto& [name, value] : options.json().items())
    if (!sizes.find(name) && !value.is_null()) config[name] = value;
  return without_aliases(config, family.fields, "architecture");
}

/// Sets a size's fields. A field of one's own wins where a size sets several (dropout).
void set_size(const std::string& size, const std::vector<std::string>& fields, const json& value, json& config) {
  for (const std::string& field : fields) {
    if (fields.size() == 1 && config.contains(field))
      user_error("architecture: option '{}' is {} and field '{}' is {}, expected one of them: they are one thing", size, value.dump(),
                 field, config[field].dump());
    if (!config.contains(field)) config[field] = value;
  }
}

void set_given_sizes(const FamilyEntry& family, const Options& options, json& config) {
  const OptionTable table = architecture_options();
  for (const Option& option : table.all()) {
    if (!options.has(option.name)) continue;
    const std::vector<std::string> fields = fields_of_size(family, option.name);
    if (fields.empty())
      user_error("architecture: {} has no '{}'; its sizes are {}", family.model_type, option.name, join_words(sizes_of_family(family)));
    set_size(option.name, fields, options.value(option.name), config);
  }
}

/// A size as the config has it; absent: nothing.
std::optional<int64_t> size_in(const FamilyEntry& family, const std::string& size, const json& config) {
  const std::vector<std::string> fields = fields_of_size(family, size);
  if (fields.empty() || !config.contains(fields[0]) || !config[fields[0]].is_number_integer()) return std::nullopt;
  return config[fields[0]].get<int64_t>();
}

void set_absent(const FamilyEntry& family, const std::string& size, const std::optional<int64_t>& value, json& config) {
  for (const std::string& field : fields_of_size(family, size))
    if (value && !config.contains(field)) config[field] = *value;
}

void set_defaults(const FamilyEntry& family, json& config) {
  for (const char* size : {"layers", "hidden", "heads"}) {
    const std::vector<std::string> fields = fields_of_size(family, size);
    if (!fields.empty() && !config.contains(fields[0]))
      user_error("architecture: {} needs '{}' (field '{}'), found neither", family.model_type, size, fields[0]);
  }
  const auto hidden = size_in(family, "hidden", config), heads = size_in(family, "heads", config);
  set_absent(family, "intermediate", hidden ? std::optional(4 * *hidden) : std::nullopt, config);
  set_absent(family, "positions", 512, config);
  set_absent(family, "key_heads", heads, config);
  if (!hidden || !heads || fields_of_size(family, "head_size").empty() || size_in(family, "head_size", config)) return;
  if (*heads < 1 || *hidden % *heads != 0)
    user_error("architecture: 'heads' is {} and 'hidden' is {}, expected a number of heads that divides it, or a 'head_size'", *heads,
               *hidden);
  set_absent(family, "head_size", *hidden / *heads, config);
}

/// A family's complaint about a config is about what the user gave.
std::unique_ptr<Family> checked_family(const json& config) {
  try {
    return make_family(config, HeadSpec{}, "architecture");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;
    throw Error(ErrorKind::user, error.what());
  }
}

OptionType type_of(const json& value) {
  if (value.is_boolean()) return OptionType::boolean;
  if (value.is_number_integer()) return OptionType::integer;
  if (value.is_number()) return OptionType::number;
  if (value.is_array()) return OptionType::list;
  return value.is_object() ? OptionType::table : OptionType::text;
}

void set_special_ids(const TokenizerFacts& tokenizer, json& config) {
  for (const auto& [token, field] :
       {std::pair{"bos_token", "bos_token_id"}, {"eos_token", "eos_token_id"}, {"pad_token", "pad_token_id"}}) {
    const auto id = tokenizer.special.find(token);
    if (!config.contains(field)) config[field] = id == tokenizer.special.end() ? json() : json(id->second);
  }
}

}  // namespace

}  // namespace model

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const model::FamilyEntry& family : model::family_entries()) names.push_back(family.model_type);
  std::sort(names.begin(), names.end());
  return names;
}

OptionTable architecture_options() {
  using enum OptionType;
  return {
      {.name = "layers", .type = integer, .doc = "layers; of an encoder-decoder: of each stack", .minimum = 1},
      {.name = "hidden", .type = integer, .doc = "width of the hidden states", .minimum = 1},
      {.name = "heads", .type = integer, .doc = "heads of the attention", .minimum = 1},
      {.name = "key_heads", .type = integer, .doc = "heads of keys and values; absent: as many as heads", .minimum = 1},
      {.name = "head_size", .type = integer, .doc = "width of a head; absent: hidden / heads", .minimum = 1},
      {.name = "intermediate",
       .type = integer,
       .doc = "width between the two products of a feed-forward block; absent: 4 × hidden",
       .minimum = 1},
      {.name = "positions", .type = integer, .doc = "rows of the table of positions, or longest text; absent: 512", .minimum = 1},
      {.name = "dropout",
       .type = number,
       .doc = "of every dropout of the family; absent: as transformers has it",
       .minimum = 0,
       .maximum = 0.99},
      {.name = "vocabulary", .type = integer, .doc = "rows of the embeddings; absent: the tokenizer's tokens", .minimum = 1},
      {.name = "tied", .type = boolean, .doc = "output embeddings are the input embeddings; absent: as transformers has it"},
  };
}

OptionTable architecture_fields(const std::string& family, const json& given) {
  const model::FamilyEntry& entry = model::family_entry(family);
  std::vector<std::string> names = entry.fields.read;
  for (const auto& [alias, name] : entry.fields.aliases) names.push_back(alias);
  names.insert(names.end(), {"initializer_range", "tie_word_embeddings", "vocab_size"});
  OptionTable table;
  const OptionTable sizes = architecture_options();
  for (const std::string& name : names) {
    if (sizes.find(name) || table.find(name)) continue;
    table.add({.name = name, .type = model::type_of(given.value(name, json())), .doc = "field of config.json"});
  }
  return table;
}

json architecture_config(const std::string& family, const Options& options) {
  using namespace model;
  const FamilyEntry& entry = family_entry(family);
  json config = given_fields(entry, options);
  set_given_sizes(entry, options, config);
  set_defaults(entry, config);
  config["model_type"] = family;
  return config;
}

json complete_config(json config, const TokenizerFacts& tokenizer) {
  if (!config.contains("vocab_size")) config["vocab_size"] = tokenizer.vocabulary_size;
  if (config["vocab_size"] < tokenizer.vocabulary_size)
    user_error("architecture: 'vocabulary' is {}, expected at least {}, the tokenizer's tokens, or nothing", config["vocab_size"].dump(),
               tokenizer.vocabulary_size);
  model::set_special_ids(tokenizer, config);
  const std::string family = config.at("model_type");
  for (const auto& [field, values] : model::family_entry(family).fields.fixed)
    if (values.size() == 1) config[field] = values.front();
  const ModelKind kind = model::checked_family(config)->model_kind();
  if (kind != ModelKind::causal && config["pad_token_id"].is_null())
    user_error("architecture: {} needs a tokenizer with a padding token, found none; expected a pad_token among the special tokens",
               family);
  if (kind == ModelKind::encoder_decoder && !config.contains("decoder_start_token_id"))
    config["decoder_start_token_id"] = config["pad_token_id"];
  return config;
}

}  // namespace tsrun
