#pragma once

#include "model/config_fields.h"
#include "tsrun/model/family.h"

#include <memory>
#include <string>
#include <vector>

namespace tsrun::model {

/// Names of the word embeddings and of the LM head's bias in a checkpoint.
struct WordTie {
  std::string words;                ///< the parameter of the embeddings
  std::vector<std::string> copies;  ///< further names of the same table
  std::string scores;               ///< weight of the LM head: the same table where config.json ties them
  std::string bias, scores_bias;    ///< two names of the LM head's bias; empty: one name, or no bias
  bool by_default = true;           ///< default of tie_word_embeddings
};

/// Spelling of names in a family's checkpoints: names that start with one of `base_modules` get `prefix` in front, names that end in one of
/// `buffers` are no parameters, names that start with one of `heads` belong to a head of this kind or another.
struct NameRules {
  std::string prefix;
  std::vector<std::string> base_modules, buffers, heads;
  WordTie tie;
};

/// Declaration of a family, by its file; families.cpp lists them.
struct FamilyEntry {
  std::string model_type;
  std::unique_ptr<Family> (*make)(const nlohmann::json& config, const HeadSpec& head, const std::string& where);
  NameRules names;
  /// transformers' class for a saved model.
  std::string (*architecture)(HeadKind head);
  FieldRules fields;
  /// Records in a config.json whether stored embeddings and LM head are one table, where config.json alone does not decide (T5). null:
  /// `tie_word_embeddings` decides.
  void (*settle_tie)(nlohmann::json& config, bool tied) = nullptr;
};
const std::vector<FamilyEntry>& family_entries();
const FamilyEntry& family_entry(std::string_view model_type);  ///< internal error when unknown

/// The entry of a config.json. @throws Error(data) as make_family
const FamilyEntry& entry_of(const nlohmann::json& config, const std::string& where);

FamilyEntry awd_lstm_family();
FamilyEntry bert_family();
FamilyEntry distilbert_family();
FamilyEntry electra_family();
FamilyEntry gpt2_family();
FamilyEntry llama_family();
FamilyEntry mistral_family();
FamilyEntry qwen2_family();
FamilyEntry roberta_family();
FamilyEntry t5_family();
FamilyEntry xlm_roberta_family();

}  // namespace tsrun::model
