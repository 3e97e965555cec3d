#pragma once

#include "tsrun/model/family.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace tsrun {

/// Place in a forward pass's hidden states of layer `layer`: 0 is the output of the embeddings, the number of layers the output of the
/// last. A decoder's layers count on from the encoder's. @throws Error(user) beginning with `where` for a layer there is not
size_t hidden_place(const Family& family, int64_t layer, const std::string& where);

}  // namespace tsrun
