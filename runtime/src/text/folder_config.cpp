#include "text/folder_config.h"

#include "text/json_fields.h"
#include "text/tokenizer_class.h"
#include "text/vocabulary.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/text/special_roles.h"

#include <algorithm>
#include <map>

namespace tsrun::text {
namespace {

using Json = nlohmann::json;
using Path = std::filesystem::path;

/// An object, empty where there is no such file.
Json object_file(const Path& path) {
  Json json = std::filesystem::exists(path) ? read_json(path) : Json::object();
  if (!json.is_object()) data_error("{}: found {}, expected an object", path.string(), json.type_name());
  return json;
}

std::string lower_family(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const char* suffix : {"fast", "tokenizer"})
    if (name.ends_with(suffix)) name.erase(name.size() - std::string_view(suffix).size());
  return name;
}

bool is_generic(const std::string& name) {
  return name.empty() || name == "PreTrainedTokenizer" || name == "PreTrainedTokenizerFast" || name == "TokenizersBackend";
}

void read_class(const Path& folder, FolderConfig& config) {
  const Path model_path = folder / "config.json", file = folder / "tokenizer.json";
  const Json model = object_file(model_path);
  StatedClass stated;
  stated.tokenizer_class = text_field(config.options, "tokenizer_class", config.where()).value_or("");
  if (stated.tokenizer_class.empty()) stated.tokenizer_class = text_field(model, "tokenizer_class", model_path.string()).value_or("");
  stated.model_type = text_field(model, "model_type", model_path.string()).value_or("");
  const bool has_file = std::filesystem::exists(file);
  const std::string text = has_file ? read_text(file) : "";
  stated.byte_level_file = text.find("\"ByteLevel\"") != std::string::npos;
  stated.word_piece_file = text.find("\"WordPiece\"") != std::string::npos;
  const TokenizerClass found = tokenizer_class_of(stated);
  config.family = found.family;
  config.own_steps = found.own_steps;
  config.names_class = !is_generic(stated.tokenizer_class);
  config.stated = config.names_class ? stated.tokenizer_class : stated.model_type;
  if (!has_file && config.family.empty()) config.family = family_of_model_type(lower_family(config.stated));
}

/// `added_tokens_decoder` maps ids to tokens.
void read_decoder(FolderConfig& config) {
  const Json tokens = config.options.at("added_tokens_decoder");
  if (!tokens.is_object()) data_error("{}: added_tokens_decoder is {}, expected an object", config.where(), tokens.type_name());
  std::map<int64_t, Json> in_order;
  for (const auto& [key, entry] : tokens.items()) {
    const bool digits = !key.empty() && key.size() < 10 && std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) data_error("{}: added_tokens_decoder has id '{}', expected a number", config.where(), key);
    if (!entry.is_object()) data_error("{}: added_tokens_decoder.{} is {}, expected an object", config.where(), key, entry.type_name());
    in_order[std::stoll(key)] = entry;
  }
  for (auto& [id, entry] : in_order) {
    entry["id"] = id;
    config.added.push_back(std::move(entry));
  }
}

/// Special tokens of the older file win.
void read_special_map(const Path& folder, FolderConfig& config) {
  const Json map = object_file(folder / "special_tokens_map.json");
  for (const auto& [key, value] : map.items()) {
    if (value.is_null()) continue;
    config.options[key] = value;
    config.mapped.insert(key);
  }
}

/// Contents of the special tokens in the options; a list in the older file does not count.
std::set<std::string> special_contents(const FolderConfig& config) {
  std::set<std::string> contents;
  const auto take = [&](const Json& token) {
    if (token.is_string()) contents.insert(token.get<std::string>());
    if (token.is_object() && token.contains("content") && token.at("content").is_string()) contents.insert(token.at("content"));
  };
  for (const auto& [role, key] : kRoleKeys)
    if (config.options.contains(key)) take(config.options.at(key));
  for (const char* key : {"extra_special_tokens", "additional_special_tokens"})
    if (config.options.contains(key) && config.options.at(key).is_array() && !config.mapped.contains(key))
      for (const Json& token : config.options.at(key)) take(token);
  return contents;
}

/// `added_tokens.json` maps tokens to ids.
void read_added_file(const Path& folder, FolderConfig& config) {
  const std::string where = config.added_where();
  const Json tokens = object_file(folder / "added_tokens.json");
  const std::set<std::string> special = special_contents(config);
  std::map<int64_t, std::string> in_order;
  for (const auto& [token, id] : tokens.items()) {
    if (!id.is_number_integer() || id < 0 || id >= kMostTokenIds)
      data_error("{}: token '{}' has id {}, expected an integer from 0 to {}", where, token, id.dump(), kMostTokenIds - 1);
    const auto [same, fresh] = in_order.emplace(id.get<int64_t>(), token);
    if (!fresh) data_error("{}: tokens '{}' and '{}' have id {}, expected ids to differ", where, same->second, token, same->first);
  }
  for (const auto& [id, token] : in_order) config.added.push_back({{"id", id}, {"content", token}, {"special", special.contains(token)}});
}

}  // namespace

FolderConfig read_folder_config(const Path& folder) {
  FolderConfig config;
  config.folder = folder.string();
  config.options = object_file(folder / "tokenizer_config.json");
  read_class(folder, config);
  config.decides_added = config.options.contains("added_tokens_decoder") && !config.options.at("added_tokens_decoder").is_null();
  if (config.decides_added) {
    read_decoder(config);
  } else {
    read_special_map(folder, config);
    read_added_file(folder, config);
  }
  return config;
}

}  // namespace tsrun::text
