#include "tsrun/tune/hidden_place.h"

#include "tsrun/base/error.h"
#include "tsrun/model/parts.h"

namespace tsrun {

size_t hidden_place(const Family& family, int64_t layer, const std::string& where) {
  if (layer < 0 || layer > family.layers())
    user_error("{}: hidden states of layer {}, expected 0 (the embeddings) to {}, the layers of the model", where, layer, family.layers());
  const bool in_decoder = family.model_kind() == ModelKind::encoder_decoder && layer > encoder_layers(family);
  return static_cast<size_t>(in_decoder ? layer + 1 : layer);  // the decoder's embeddings are one more
}

}  // namespace tsrun
