#include "train/backward.h"

#include "tsrun/model/row_gradients.h"

#include <ATen/TensorOperators.h>

#include <cmath>

namespace tsrun::training {

ForwardOptions training_pass(Key dropout, Precision precision, bool gradient_checkpointing) {
  ForwardOptions forward;
  forward.training = true;
  forward.dropout = dropout;
  forward.precision = precision;
  forward.gradient_checkpointing = gradient_checkpointing;
  return forward;
}

double backpropagate(const at::Tensor& loss, double share) {
  const double value = loss.item<double>();
  if (std::isfinite(value)) {
    const AddsRowGradients by_rows;
    (share == 1 ? loss : loss * share).backward();
  }
  return value;
}

}  // namespace tsrun::training
