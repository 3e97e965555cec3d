#pragma once

#include "tsrun/model/family.h"

#include <string>
#include <string_view>
#include <vector>

/// Parts of a model by name.
namespace tsrun {

/// Names of all parts in the order of a forward pass; `delta`, the part of delta methods, is the last.
std::vector<std::string> part_names();
/// Names of the parts of a plain model: all but `delta`.
std::vector<std::string> own_part_names();
/// @throws Error(user) beginning with `where` for a part that no model has, with the near miss
Part parse_part(std::string_view name, std::string_view where);

/// The word embeddings: the first embedding with a row for every id of the vocabulary, as families list words first. Null: there is none.
const ParameterInfo* word_embeddings(const Family& family);
/// Layers below a decoder beside an encoder; of a model with one stack, all.
int encoder_layers(const Family& family);

}  // namespace tsrun
