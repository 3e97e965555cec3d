#pragma once

#include "text/folder_config.h"
#include "text/sentencepiece_file.h"
#include "tsrun/text/document.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

/// What a vocabulary file, or a tokenizer class of transformers, leaves to convention, written out as a tokenizer.json.
namespace tsrun {

/// Rows that a class makes whatever a tokenizer.json says; their tokens are known once all tokens have ids.
enum class ClassRows { none, bert, roberta, t5, xlm_roberta };

struct TokenizerDocument {
  nlohmann::json json;
  SpecialRoles roles;
  SpecialRoles inferred = {};  ///< parts that tokens of the vocabulary play where the folder names none; they are text where they are found
  TokenizerSettings settings = {};
  ClassRows rows = ClassRows::none;
  std::vector<std::string> extra = {};  ///< special tokens without a part, where the folder names none
  bool takes_begin_end = false;         ///< add_bos_token and add_eos_token decide on rows; those of a tokenizer.json are fixed
};

const SpecialRoles& bert_roles();

/// BERT's WordPiece from an object of tokens and ids.
TokenizerDocument wordpiece_document(nlohmann::json vocabulary, const FolderConfig& config, const std::string& where);

/// Tokens by place as an object of tokens and ids; the last of equal ones counts.
nlohmann::json vocabulary_json(const std::vector<std::string>& tokens);

/// Lets BERT's tokens that a document has play their parts where the folder names none.
void infer_bert_roles(TokenizerDocument& document);

/// Byte-level BPE from `vocab.json` and merges: GPT-2, RoBERTa or Qwen2, told from the folder or from the special tokens.
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

/// Parts as a class's defaults have them, those that the folder names instead.
SpecialRoles named_roles(SpecialRoles defaults, const FolderConfig& config);

/// The post_processor of a class over a document whose tokens are merged.
nlohmann::json class_rows(const TokenizerDocument& document, const std::string& where);

}  // namespace tsrun
