#pragma once

#include "tsrun/model/family.h"

namespace tsrun::model {

/// Initial values: gains one, biases zero, all else N(0, deviation) from the key's stream. float32 on the CPU.
at::Tensor initial_values(const ParameterInfo& parameter, double deviation, Key key);

/// Initial values of all of a family's parameters in its order, each under `key.split(name)`.
Weights initial_weights(const Family& family, Key key);

}  // namespace tsrun::model
