#include "text/tokenizer_config.h"

#include "text/added_tokens_json.h"
#include "text/json_fields.h"
#include "text/vocabulary.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <algorithm>
#include <map>

namespace tsrun {
namespace {

using Json = nlohmann::json;

/// Ids that the model and its added tokens have given out.
class GivenIds {
 public:
  GivenIds(const Json& tokenizer, const std::string& where) : where_(where) {
    const auto model = tokenizer.find("model");
    if (model == tokenizer.end() || !model->is_object()) return;
    const auto vocabulary = model->find("vocab");
    if (vocabulary == model->end() || !vocabulary->is_structured()) return;
    if (vocabulary->is_object()) {
      object_ = &*vocabulary;
      for (const auto& entry : *object_)
        if (entry.is_number_integer()) take(entry.get<int64_t>());
      return;
    }
    for (const Json& entry : *vocabulary) {
      if (entry.is_array() && !entry.empty() && entry[0].is_string()) ids_[entry[0].get<std::string>()] = next_;
      ++next_;
    }
  }

  void add(const std::string& token, int64_t id) {
    ids_[token] = id;
    take(id);
  }

  std::optional<int64_t> find(const std::string& token) const {
    if (const auto known = ids_.find(token); known != ids_.end()) return known->second;
    if (!object_ || !object_->contains(token) || !object_->at(token).is_number_integer()) return std::nullopt;
    return object_->at(token).get<int64_t>();
  }

  int64_t next() const {
    if (next_ >= kMostTokenIds) data_error("{}: an added token would have id {}, expected at most {}", where_, next_, kMostTokenIds - 1);
    return next_;
  }

 private:
  void take(int64_t id) { next_ = std::max(next_, std::min(id, kMostTokenIds) + 1); }

  const std::string& where_;
  const Json* object_ = nullptr;
  std::map<std::string, int64_t> ids_;
  int64_t next_ = 0;
};

/// Puts the tokens of a folder's configuration into a tokenizer.json.
class TokenMerger {
 public:
  TokenMerger(const FolderConfig& config, TokenizerDocument& document, const std::string& where)
      : config_(config), document_(document), ids_(document.json, where) {
    Json& added = document.json["added_tokens"];
    if (added.is_null()) added = Json::array();
    if (!added.is_array()) data_error("{}: added_tokens is {}, expected an array", where, added.type_name());
    for (const Json& entry : added) {
      const AddedToken token = read_added(entry, integer_field(entry, "id", where).value_or(-1), where);
      added_.push_back(token.content);
      ids_.add(token.content, token.id);
    }
  }

  void merge() {
    merge_decoder();
    for (const auto& [role, key] : kRoleKeys) {
      const auto token = token_field(config_.options, key, config_.where);
      if (token) document_.roles[role] = *token;
      if (token && !token->empty()) add(config_.options.at(key));
    }
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      const auto tokens = config_.options.find(key);
      if (tokens == config_.options.end() || !tokens->is_structured()) continue;
      for (const Json& token : *tokens) add(token);
    }
  }

  std::optional<int64_t> find(const std::string& token) const { return ids_.find(token); }

 private:
  /// `added_tokens_decoder` maps ids to tokens.
  void merge_decoder() {
    const Json tokens = config_.options.value("added_tokens_decoder", Json::object());
    if (!tokens.is_object()) data_error("{}: added_tokens_decoder is {}, expected an object", config_.where, tokens.type_name());
    std::map<int64_t, Json> in_order;
    for (const auto& [key, entry] : tokens.items()) {
      const bool digits =
          !key.empty() && key.size() < 10 && std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
      in_order[digits ? std::stoll(key) : -1] = entry;
    }
    for (const auto& [id, entry] : in_order) {
      const AddedToken token = read_added(entry, id, config_.where);
      const auto known = ids_.find(token.content);
      if (known && *known != id)
        data_error("{}: token '{}' has id {}, but the tokenizer gives it {}", config_.where, token.content, id, *known);
      push(token);
    }
  }

  /// A special token, as a text or as an object.
  void add(const Json& json) {
    AddedToken token;
    token.special = true;
    if (json.is_string()) token.content = json.get<std::string>();
    const int64_t placeholder = 0;
    if (json.is_object()) token = read_added(json, placeholder, config_.where);
    if (!json.is_string() && !json.is_object() && !json.is_null())
      data_error("{}: a special token is {}, expected a text or an object", config_.where, json.type_name());
    if (token.content.empty()) return;
    token.special = true;
    const auto known = ids_.find(token.content);
    token.id = static_cast<int32_t>(known ? *known : ids_.next());
    push(token);
  }

  void push(const AddedToken& token) {
    if (std::find(added_.begin(), added_.end(), token.content) != added_.end()) return;
    added_.push_back(token.content);
    ids_.add(token.content, token.id);
    Json entry = added_json(token);
    entry["id"] = token.id;
    document_.json["added_tokens"].push_back(std::move(entry));
  }

  const FolderConfig& config_;
  TokenizerDocument& document_;
  GivenIds ids_;
  std::vector<std::string> added_;
};

void set_prefix_space(const FolderConfig& config, Json& json) {
  const auto wanted = flag_field(config.options, "add_prefix_space", config.where);
  const auto step = json.find("pre_tokenizer");
  if (!wanted || step == json.end() || !step->is_object() || step->value("type", Json()) != "ByteLevel") return;
  (*step)["add_prefix_space"] = *wanted;
}

void set_begin_end(const FolderConfig& config, const TokenMerger& tokens, TokenizerDocument& document) {
  const auto begin = flag_field(config.options, "add_bos_token", config.where);
  const auto end = flag_field(config.options, "add_eos_token", config.where);
  if (!begin && !end) return;
  const auto named = [&](SpecialToken role, bool wanted) {
    const auto token = document.roles.find(role);
    if (!wanted || token == document.roles.end()) return NamedId{};
    return NamedId{token->second, tokens.find(token->second).value_or(-1)};
  };
  document.json["post_processor"] =
      begin_end_rows(named(SpecialToken::begin, begin.value_or(false)), named(SpecialToken::end, end.value_or(false)), 1);
}

std::string family_name(std::string stated) {
  std::transform(stated.begin(), stated.end(), stated.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const char* suffix : {"fast", "tokenizer"})
    if (stated.ends_with(suffix)) stated.erase(stated.size() - std::string_view(suffix).size());
  // Families that share the files and conventions of another.
  static const std::map<std::string, std::string> kSame = {
      {"mt5", "t5"}, {"gpt_neo", "gpt2"}, {"bart", "roberta"}, {"longformer", "roberta"}, {"mistral", "llama"}, {"qwen3", "qwen2"}};
  const auto same = kSame.find(stated);
  return same == kSame.end() ? stated : same->second;
}

}  // namespace

FolderConfig read_folder_config(const std::filesystem::path& folder) {
  FolderConfig config;
  const auto read = [&](const char* name) {
    const std::filesystem::path path = folder / name;
    Json json = std::filesystem::exists(path) ? read_json(path) : Json::object();
    if (!json.is_object()) data_error("{}: found {}, expected an object", path.string(), json.type_name());
    return json;
  };
  config.where = (folder / "tokenizer_config.json").string();
  config.options = read("special_tokens_map.json");
  const Json stated = read("tokenizer_config.json");
  for (const auto& [key, value] : stated.items())
    if (!value.is_null()) config.options[key] = value;
  config.stated = text_field(config.options, "tokenizer_class", config.where).value_or("");
  if (config.stated == "PreTrainedTokenizerFast" || config.stated == "TokenizersBackend") config.stated.clear();
  if (config.stated.empty()) config.stated = text_field(read("config.json"), "model_type", (folder / "config.json").string()).value_or("");
  config.family = family_name(config.stated);
  return config;
}

void apply_folder_config(const FolderConfig& config, TokenizerDocument& document, const std::string& where) {
  TokenMerger tokens(config, document, where);
  tokens.merge();
  set_prefix_space(config, document.json);
  if (document.takes_begin_end) set_begin_end(config, tokens, document);
}

}  // namespace tsrun
