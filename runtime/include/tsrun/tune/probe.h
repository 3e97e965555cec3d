#pragma once

#include "tsrun/base/random.h"
#include "tsrun/model/weights.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tsrun {

/// Calibration: what a model does on rows of the training split. Calls change nothing; they come from the training's thread. Every row
/// begins a text, in recurrent models too.
class Probe {
 public:
  /// Hidden states of rows that lie end to end.
  struct HiddenStates {
    at::Tensor states;             ///< [tokens, hidden], on the device
    std::vector<int64_t> offsets;  ///< row i is tokens [offsets[i], offsets[i+1]); of vectors in front of a row (a prompt) too
  };
  struct LossAndGradient {
    double loss = 0;   ///< the task's mean loss over the rows, or over their tokens with a target
    Weights gradient;  ///< of every parameter, in its shape; zeros where the loss does not depend on it
  };

  /// Hidden states where the head predicts a label.
  struct LabelStates {
    std::vector<at::Tensor> states;  ///< [labels, hidden] each: the input of every layer, and the output of the last
    at::Tensor labels;               ///< int64 [labels]: class, or word
    int first_layer = 0;             ///< `states[i]` is the input of layer `first_layer` + i: of an encoder-decoder, those of its decoder
  };

  virtual ~Probe() = default;
  virtual int64_t rows() const = 0;  ///< of the training split; rows of the calls below are numbers from 0 to this
  /// Ids that the model reads in `row`, special ones included, one list a text: the row's and, of an encoder-decoder, its decoder's input.
  /// Words are not hidden (masked language models). Ids number the rows of the word embeddings: where a training leaves rows out, as it may
  /// when no plugin wants `whole_vocabulary`, those of the embeddings that are left. @throws Error(user) for a row there is not
  virtual std::vector<std::vector<int64_t>> ids(int64_t row) = 0;
  /// Input of layer `layer` (0: the output of the embeddings; the number of layers: the output of the last), in evaluation. Layers of a
  /// decoder beside an encoder count on from the encoder's, and their rows are the decoder's. @throws Error(user) for rows or layers there
  /// are not
  virtual HiddenStates hidden(const Weights& weights, std::span<const int64_t> rows, int layer) = 0;
  /// All hidden states of the positions that have a label, row by row, in evaluation: a row's first token (last token of a causal model)
  /// for classes, the tokens before the answer's for words. @throws Error(user) for a head that predicts no labels (`Family::label_matrix`)
  virtual LabelStates label_states(const Weights& weights, std::span<const int64_t> rows) = 0;
  /// One forward and backward pass over `rows`, which must fit into memory together; without dropout unless a key is given.
  virtual LossAndGradient loss_and_gradient(const Weights& weights, std::span<const int64_t> rows, std::optional<Key> dropout = {}) = 0;
};

}  // namespace tsrun
