#include "train/backward.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/gradients_in_place.h"

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
    const AddsGradientsInPlace in_place;
    (share == 1 ? loss : loss * share).backward();
  }
  return value;
}

}  // namespace tsrun::training
