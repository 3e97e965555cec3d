#pragma once

#include "model/config_fields.h"
#include "tsrun/model/family.h"

#include <memory>
#include <string>
#include <vector>

namespace tsrun {

/// Names under which a checkpoint may hold the word embeddings, and the bias of the word scores.
struct WordTie {
  std::string words;                ///< the parameter of the embeddings
  std::vector<std::string> copies;  ///< the same table for other parts of the model
  std::string scores;               ///< of the word scores: the same table where config.json ties them, else a parameter of its own
  std::string bias, scores_bias;    ///< two names of the bias of the word scores; empty: it has one, or none
  bool by_default = true;           ///< whether a config.json that does not say so ties
};

/// How a family's checkpoints spell names. A name that starts with one of `base_modules` gets `prefix` in front; names that end in one of
/// `buffers` hold no parameters; names that start with one of `heads` belong to a head, this one or another.
struct NameRules {
  std::string prefix;
  std::vector<std::string> base_modules, buffers, heads;
  WordTie tie;
};

/// What a family's file declares; families.cpp lists them.
struct FamilyEntry {
  std::string model_type;
  std::unique_ptr<Family> (*make)(const nlohmann::json& config, const HeadSpec& head, const std::string& where);
  NameRules names;
  /// The class that transformers loads a saved model with.
  std::string (*architecture)(HeadKind head);
  FieldRules fields;
  /// Says in a config.json whether the stored embeddings and word scores are one table, where the answer is not config.json's alone to
  /// give (T5). null: `tie_word_embeddings` says it.
  void (*settle_tie)(nlohmann::json& config, bool tied) = nullptr;
};
const std::vector<FamilyEntry>& family_entries();
const FamilyEntry& family_entry(std::string_view model_type);  ///< internal error when unknown

/// The entry of a config.json. @throws Error(data) as make_family
const FamilyEntry& entry_of(const nlohmann::json& config, const std::string& where);

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

}  // namespace tsrun
