#pragma once

#include "model/families.h"
#include "tsrun/checkpoint/safetensors.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace tsrun::model {

/// A checkpoint's tensors by a family's names.
using StoredTensors = std::map<std::string, const TensorInfo*>;

/// Whether two stored tensors have equal shapes and values, whatever their types.
bool same_values(const TensorInfo& a, const TensorInfo& b);

/// Whether a head is an LM head, whose weight config.json may tie to the embeddings.
bool scores_words(HeadKind head);

/// Whether config.json ties the LM head to the embeddings.
bool ties_scores(const nlohmann::json& config, const WordTie& tie);

/// The first of `tie`'s names under which the embeddings are stored, the scores last; null: none.
const TensorInfo* stored_words(const StoredTensors& stored, const WordTie& tie, bool scores_too);

/// `config` with the ties of the stored tensors. As in transformers, tied names with different stored values are kept apart, which is
/// logged.
nlohmann::json settled_config(const nlohmann::json& config, const StoredTensors& stored, const FamilyEntry& entry,
                              const std::string& where);

}  // namespace tsrun::model
