#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <set>
#include <string>

namespace tsrun {

/// What a tokenizer does beside the steps of its tokenizer.json.
struct TokenizerSettings {
  bool cuts_left = false;       ///< truncation_side: a row that is too long loses its beginning
  bool splits_special = false;  ///< split_special_tokens: special tokens in a text are text
  bool cleans_up = false;       ///< clean_up_tokenization_spaces: decoded texts have no blanks before punctuation
  bool tells_segments = true;   ///< model_input_names has token_type_ids; else every segment is 0
};

/// What `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and `config.json` of a folder say, as transformers reads
/// them: the latter two of the first three count where the first has no added_tokens_decoder, and then win.
struct FolderConfig {
  nlohmann::json options = nlohmann::json::object();
  nlohmann::json added = nlohmann::json::array();  ///< stated added tokens with their ids, in the order of ids
  bool decides_added = false;                      ///< added_tokens_decoder is there: added tokens of other files are not read
  std::set<std::string> mapped;                    ///< options that special_tokens_map.json states
  std::string family;        ///< whose conventions hold: "bert", "roberta", "gpt2", "qwen2", "t5", "xlm-roberta", "llama"; "": not said
  std::string stated;        ///< the class or model type as the folder writes it
  bool names_class = false;  ///< `stated` is a class, not a model type
  bool own_steps = true;     ///< the class builds its steps itself, even where there is a tokenizer.json
  std::string folder;

  std::string where() const { return folder + "/tokenizer_config.json"; }
  std::string where(const std::string& key) const { return mapped.contains(key) ? folder + "/special_tokens_map.json" : where(); }
  std::string added_where() const { return decides_added ? where() : folder + "/added_tokens.json"; }
};

FolderConfig read_folder_config(const std::filesystem::path& folder);

/// Options that mean something to the tokenizer, whatever its class. Refuses those that cannot be followed and warns of unknown ones.
TokenizerSettings read_settings(const FolderConfig& config, const nlohmann::json& tokenizer);
void write_settings(const TokenizerSettings& settings, nlohmann::json& options);  ///< as options of a tokenizer_config.json

}  // namespace tsrun
