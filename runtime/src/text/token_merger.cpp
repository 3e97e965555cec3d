#include "text/token_merger.h"

#include "text/added_tokens_json.h"
#include "text/json_fields.h"
#include "text/vocabulary.h"
#include "tsrun/base/error.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

namespace tsrun::text {
namespace {

using Json = nlohmann::json;

/// The vocabulary of a document's model, as an object or a list of pairs.
class DocumentVocabulary {
 public:
  explicit DocumentVocabulary(const Json& document) {
    const auto model = document.find("model");
    if (model == document.end() || !model->is_object()) return;
    const auto vocabulary = model->find("vocab");
    if (vocabulary == model->end() || !vocabulary->is_structured()) return;
    size_ = static_cast<int64_t>(vocabulary->size());
    if (vocabulary->is_object()) {
      object_ = &*vocabulary;
      return;
    }
    for (size_t id = 0; id < vocabulary->size(); ++id) {
      const Json& entry = (*vocabulary)[id];
      if (entry.is_array() && !entry.empty() && entry[0].is_string()) list_[entry[0].get<std::string>()] = static_cast<int64_t>(id);
    }
  }

  int64_t size() const { return size_; }
  std::optional<int64_t> find(const std::string& token) const {
    if (const auto known = list_.find(token); known != list_.end()) return known->second;
    if (!object_) return std::nullopt;
    const auto known = object_->find(token);
    return known == object_->end() || !known->is_number_integer() ? std::nullopt : std::optional(known->get<int64_t>());
  }

 private:
  const Json* object_ = nullptr;
  std::unordered_map<std::string, int64_t> list_;
  int64_t size_ = 0;
};

class TokenMerger {
 public:
  TokenMerger(const FolderConfig& config, TokenizerDocument& document) : config_(config), document_(document), vocabulary_(document.json) {}

  /// Added tokens that the document has itself.
  void take_document(const std::string& where) {
    const Json entries = std::exchange(document_.json["added_tokens"], Json::array());
    if (!entries.is_array() && !entries.is_null()) data_error("{}: added_tokens is {}, expected an array", where, entries.type_name());
    for (const Json& entry : entries) {
      AddedToken token = read_added(entry, integer_field(entry, "id", where).value_or(-1), where);
      token.special |= !config_.decides_added && plays_part(token.content);
      add(std::move(token), where, true);
    }
  }

  /// Tokens of an added_tokens.json do not change the same tokens of a tokenizer.json.
  void take_stated() {
    const std::string where = config_.added_where();
    for (const Json& entry : config_.added) {
      AddedToken token = read_added(entry, entry.at("id").get<int64_t>(), where);
      token.special |= plays_part(token.content);
      const auto known = ids_.find(token.content);
      if (known == ids_.end() || config_.decides_added || known->second != token.id) add(std::move(token), where, true);
    }
  }

  void take_parts() {
    for (const auto& [role, key] : kRoleKeys) {
      const auto named = document_.roles.find(role);
      if (named == document_.roles.end()) continue;
      const auto option = config_.options.find(key);
      const bool stated = option != config_.options.end() && option->is_object();
      take_special(stated ? *option : Json(named->second), key, true);
    }
    for (const auto& [key, value] : config_.options.items())  // roles of some models only
      if (key.ends_with("_token") && (value.is_string() || value.is_object()) && !is_part_key(key)) take_special(value, key, true);
  }

  void take_extra() {
    const char* key = states_list("extra_special_tokens") ? "extra_special_tokens" : "additional_special_tokens";
    if (!states_list(key)) {
      for (const std::string& token : document_.extra) take_special(token, key, false);
      return;
    }
    const bool named = config_.options.at(key).is_object();  // roles by name
    for (const Json& token : config_.options.at(key)) take_special(token, key, named);
  }

  void write() {
    Json& list = document_.json["added_tokens"];
    list = Json::array();
    for (const auto& [id, token] : added_) {
      list.push_back(added_json(token));
      list.back()["id"] = id;
    }
  }

 private:
  static bool is_part_key(const std::string& key) {
    return std::any_of(std::begin(kRoleKeys), std::end(kRoleKeys), [&](const auto& entry) { return key == entry.second; });
  }

  bool plays_part(const std::string& token) const {
    const auto named = [&](const auto& role) { return role.second == token; };
    if (std::any_of(document_.roles.begin(), document_.roles.end(), named)) return true;
    for (const auto& [key, value] : config_.options.items())
      if (key.ends_with("_token") && value == token) return true;
    return false;
  }

  bool states_list(const std::string& key) const {
    const auto tokens = config_.options.find(key);
    if (tokens == config_.options.end() || tokens->is_null()) return false;
    if (!tokens->is_structured()) data_error("{}: {} is {}, expected an array of tokens", config_.where(key), key, tokens->type_name());
    return !tokens->empty();
  }

  /// A token as a text or as an object; another file's statement of it wins.
  void take_special(const Json& json, const std::string& key, bool part) {
    const std::string where = config_.where(key);
    if (!json.is_string() && !json.is_object() && !json.is_null())
      data_error("{}: a special token is {}, expected a text or an object", where, json.type_name());
    AddedToken token;
    token.special = true;
    if (json.is_string()) token.content = json.get<std::string>();
    if (json.is_object()) {
      Json entry = json;
      if (config_.mapped.contains(key)) entry["special"] = true;
      token = read_added(entry, 0, where);
      token.special |= part;
    }
    if (!token.content.empty() && !ids_.contains(token.content)) add(std::move(token), where, false);
  }

  void add(AddedToken token, const std::string& where, bool stated) {
    const int64_t id = id_of(token.content);
    if (id >= kMostTokenIds) data_error("{}: an added token would have id {}, expected at most {}", where, id, kMostTokenIds - 1);
    if (stated && token.id != id) data_error("{}: token '{}' has id {}, but the tokenizer gives it {}", where, token.content, token.id, id);
    const auto taken = added_.find(id);
    if (taken != added_.end() && taken->second.content != token.content)
      data_error("{}: tokens '{}' and '{}' would both have id {}, expected ids to differ", where, taken->second.content, token.content, id);
    token.id = static_cast<int32_t>(id);
    token.special |= taken != added_.end() && taken->second.special;
    ids_[token.content] = id;
    added_[id] = std::move(token);
  }

  int64_t id_of(const std::string& token) const {
    if (const auto known = ids_.find(token); known != ids_.end()) return known->second;
    if (const auto known = vocabulary_.find(token)) return *known;
    const int64_t size = vocabulary_.size(), last = added_.empty() ? -1 : added_.rbegin()->first;
    return std::max(size, last + 1);
  }

  const FolderConfig& config_;
  TokenizerDocument& document_;
  DocumentVocabulary vocabulary_;
  std::unordered_map<std::string, int64_t> ids_;
  std::map<int64_t, AddedToken> added_;
};

}  // namespace

void merge_tokens(const FolderConfig& config, TokenizerDocument& document, const std::string& where) {
  TokenMerger merger(config, document);
  merger.take_document(where);
  merger.take_stated();
  merger.take_parts();
  merger.take_extra();
  merger.write();
}

std::optional<int64_t> document_id(const Json& document, const std::string& token) {
  const Json entries = document.value("added_tokens", Json::array());
  for (const Json& entry : entries)
    if (entry.is_object() && entry.value("content", "") == token) return integer_field(entry, "id", "added_tokens");
  return DocumentVocabulary(document).find(token);
}

}  // namespace tsrun::text
