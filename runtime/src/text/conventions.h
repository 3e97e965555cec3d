#pragma once

#include "text/sentencepiece_file.h"
#include "text/special_roles.h"

#include <nlohmann/json.hpp>

#include <string>

/// What a vocabulary file leaves to convention, written out as a tokenizer.json.
namespace tsrun {

struct TokenizerDocument {
  nlohmann::json json;
  SpecialRoles roles;
  bool takes_begin_end = false;  ///< add_bos_token and add_eos_token decide on rows; those of a tokenizer.json are fixed
};

/// What a folder says about the class of its tokenizer and its options; both may be empty.
struct FolderConfig {
  nlohmann::json options = nlohmann::json::object();  ///< tokenizer_config.json over special_tokens_map.json
  std::string family;                                 ///< "gpt2", "roberta", "qwen2", "t5", "llama"; "": not said
  std::string stated;                                 ///< the class or model type as the folder writes it
  std::string where;                                  ///< the file that states the options
};

/// Byte-level BPE from `vocab.json` and merges: GPT-2, RoBERTa or Qwen2, told from the folder or from the special tokens.
TokenizerDocument byte_level_document(nlohmann::json vocabulary, nlohmann::json merges, const FolderConfig& config,
                                      const std::string& where);

/// T5 (Unigram) or Llama 2 (BPE) from a SentencePiece model.
TokenizerDocument sentencepiece_document(const SentencePieceFile& file, const FolderConfig& config, const std::string& where);

/// A special token in `added_tokens`.
nlohmann::json special_entry(const std::string& content, int64_t id, bool strip_left = false);

struct NamedId {
  std::string name;  ///< "": none
  int64_t id = 0;
};

/// A TemplateProcessing of `begin` and `end` around each text.
nlohmann::json begin_end_rows(const NamedId& begin, const NamedId& end, int second_segment);

}  // namespace tsrun
