#pragma once

#include "tsrun/model/family.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tsrun {

/// How a family's checkpoints spell names. A name that starts with one of `base_modules` gets `prefix` in front; names that end in one of
/// `buffers` hold no parameters; names that start with one of `heads` belong to a head, this one or another.
struct NameRules {
  std::string prefix;
  std::vector<std::string> base_modules, buffers, heads;
  /// Parameters that start as a copy of another one when the checkpoint lacks them.
  std::map<std::string, std::string> copies = {};
};

/// What a family's file declares; families.cpp lists them.
struct FamilyEntry {
  std::string model_type;
  std::unique_ptr<Family> (*make)(const nlohmann::json& config, const HeadSpec& head, const std::string& where);
  NameRules names;
  /// The class that transformers loads a saved model with.
  std::string (*architecture)(HeadKind head);
};
const std::vector<FamilyEntry>& family_entries();
const FamilyEntry& family_entry(std::string_view model_type);  ///< internal error when unknown

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
