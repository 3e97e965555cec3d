#pragma once

#include "text/folder_config.h"
#include "text/sentencepiece_file.h"
#include "tsrun/text/document.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

/// Conventions of vocabulary files and of transformers' tokenizer classes, written out as a tokenizer.json.
namespace tsrun::text {

/// Rows of a class regardless of tokenizer.json; their ids are known once all tokens have ids.
enum class ClassRows { none, bert, roberta, t5, xlm_roberta };

struct TokenizerDocument {
  nlohmann::json json;
  SpecialRoles roles;
  SpecialRoles inferred = {};  ///< default roles of vocabulary tokens, which stay text where they occur
  TokenizerSettings settings = {};
  ClassRows rows = ClassRows::none;
  std::vector<std::string> extra = {};  ///< default special tokens without a role
  bool takes_begin_end = false;         ///< add_bos_token and add_eos_token decide on rows instead of tokenizer.json
};

const SpecialRoles& bert_roles();

/// BERT's WordPiece from an object of tokens and ids.
TokenizerDocument wordpiece_document(nlohmann::json vocabulary, const FolderConfig& config, const std::string& where);

/// A list of tokens as an object of tokens and ids; the last of equal ones counts.
nlohmann::json vocabulary_json(const std::vector<std::string>& tokens);

/// Gives BERT's tokens in a document their roles where the folder names none.
void infer_bert_roles(TokenizerDocument& document);

/// Byte-level BPE from `vocab.json` and merges: GPT-2, RoBERTa or Qwen2, by the folder's class or the special tokens.
TokenizerDocument byte_level_document(nlohmann::json vocabulary, nlohmann::json merges, const FolderConfig& config,
                                      const std::string& where);

/// T5 (Unigram) or Llama 2 (BPE) from a SentencePiece model.
TokenizerDocument sentencepiece_document(const SentencePieceFile& file, const FolderConfig& config, const std::string& where);

/// Steps of a Llama 2 tokenizer around its model. `prefix`: one blank before a text, unless the folder says otherwise.
nlohmann::json llama_steps(const FolderConfig& config, bool prefix);

/// T5's sentinels, "<extra_id_0>" first.
std::vector<std::string> sentinel_names(const FolderConfig& config);

/// A tokenizer.json as transformers reads it: classes with conventions of their own take vocabulary, merges and added tokens from it and
/// build the rest; others take it as it is. @throws Error(data) when the class does not fit the model.
TokenizerDocument class_document(nlohmann::json file, const FolderConfig& config, const std::string& where);

/// Roles by a class's defaults, overridden by the folder.
SpecialRoles named_roles(SpecialRoles defaults, const FolderConfig& config);

/// The post_processor of a class over a document whose tokens are merged.
nlohmann::json class_rows(const TokenizerDocument& document, const std::string& where);

}  // namespace tsrun::text
