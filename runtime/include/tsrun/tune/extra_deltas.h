#pragma once

#include "tsrun/tune/delta.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

/// Parameters that PEFT's methods train beside their own tensors, as deltas.
namespace tsrun {

/// Several deltas as one, in the order given.
std::unique_ptr<Delta> together(std::vector<std::unique_ptr<Delta>> deltas);

/// Whether `module`, or one that holds it, ends in one of `names` (modules_to_save).
bool is_saved_module(const std::vector<std::string>& names, const std::string& module);

/// `delta` with the modules of `options`' modules_to_save trained whole (those of the head are anyway). A saved lm_head of a model that
/// ties it to the word embeddings has a weight of its own, "lm_head.weight", from then on. @throws Error(user) naming `where` for saved
/// word embeddings of such a model, whose lm_head would have to stay as it was.
std::unique_ptr<Delta> with_saved_modules(std::unique_ptr<Delta> delta, const Family& family, const Options& options,
                                          const std::string& where);

/// The model's own biases that the option `bias` means: all, or (any other word than none) those of `targets`. A head's are trained with
/// it, or not at all. Null for none.
std::unique_ptr<Delta> trained_biases(const Family& family, const Options& options, const std::vector<Target>& targets);

/// Rows of tables that are trained in the place of the model's own: "<module>.token_adapter.trainable_tokens_delta" [rows, width]. A tied
/// lm_head has the same rows. `indices` is a list of token ids of the word embeddings, or ids by (ends of) names of modules.
/// @throws Error(user) naming `where` for a module that is none or has another kind, or ids that the table lacks.
std::unique_ptr<Delta> trained_tokens(const Family& family, const nlohmann::json& indices, const std::string& where);

}  // namespace tsrun
