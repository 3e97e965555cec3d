#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <set>
#include <string>

namespace tsrun::text {

/// Settings of a tokenizer beside its tokenizer.json.
struct TokenizerSettings {
  bool cuts_left = false;       ///< truncation_side: long rows are cut at their beginning
  bool splits_special = false;  ///< split_special_tokens: special tokens in a text are text
  bool cleans_up = false;       ///< clean_up_tokenization_spaces: decoded texts have no blanks before punctuation
  bool tells_segments = true;   ///< model_input_names has token_type_ids; else every segment is 0
};

/// Contents of a folder's `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and `config.json`, as transformers reads
/// them: without added_tokens_decoder in the first, the second and third win over it.
struct FolderConfig {
  nlohmann::json options = nlohmann::json::object();
  nlohmann::json added = nlohmann::json::array();  ///< stated added tokens with their ids, in the order of ids
  bool decides_added = false;                      ///< has added_tokens_decoder: added tokens of other files are ignored
  std::set<std::string> mapped;                    ///< options of special_tokens_map.json
  std::string family;        ///< conventions: "bert", "roberta", "gpt2", "qwen2", "t5", "xlm-roberta", "llama"; "": unknown
  std::string stated;        ///< the class or model type as the folder writes it
  bool names_class = false;  ///< `stated` is a class, not a model type
  bool own_steps = true;     ///< the class builds its steps itself, even where there is a tokenizer.json
  std::string folder;

  std::string where() const { return folder + "/tokenizer_config.json"; }
  std::string where(const std::string& key) const { return mapped.contains(key) ? folder + "/special_tokens_map.json" : where(); }
  std::string added_where() const { return decides_added ? where() : folder + "/added_tokens.json"; }
};

FolderConfig read_folder_config(const std::filesystem::path& folder);

/// Options with effect on tokenizers of any class. Refuses unsupported ones and warns of unknown ones.
TokenizerSettings read_settings(const FolderConfig& config, const nlohmann::json& tokenizer);
void write_settings(const TokenizerSettings& settings, nlohmann::json& options);  ///< as options of a tokenizer_config.json

}  // namespace tsrun::text
