#pragma once

#include "model/families.h"
#include "tsrun/checkpoint/safetensors.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace tsrun {

/// A checkpoint's tensors by a family's spelling of their names.
using StoredTensors = std::map<std::string, const TensorInfo*>;

/// Whether two stored tensors are one: shapes and values, whatever their types.
bool same_values(const TensorInfo& a, const TensorInfo& b);

/// Whether a head's scores of words are those of the embeddings where config.json ties them.
bool scores_words(HeadKind head);

/// Whether config.json ties word scores to the embeddings.
bool ties_scores(const nlohmann::json& config, const WordTie& tie);

/// The first of `tie`'s names under which the embeddings are stored, the scores last; null: none.
const TensorInfo* stored_words(const StoredTensors& stored, const WordTie& tie, bool scores_too);

/// `config` as what is stored has it. As in transformers, names that config.json ties are kept apart when both are stored with different
/// values, which is logged.
nlohmann::json settled_config(const nlohmann::json& config, const StoredTensors& stored, const FamilyEntry& entry,
                              const std::string& where);

}  // namespace tsrun
