#pragma once

#include "tsrun/base/random.h"

#include <span>
#include <vector>

namespace tsrun::redrawn {

/// One part of a gradient, which has random directions of its own: `dim` rows of normals under key.split(k), about or exactly as long as 1.
struct Compartment {
  std::span<float> gradient;
  Key key;
};

struct BasisShape {
  int64_t dim = 0;
  bool exact_length = false;  ///< each direction divided by its length; otherwise by √D, its expected length
  bool rescale = false;       ///< the projection is multiplied by D / dim
};

/// Squared lengths of gradients before and of their projections, before these are rescaled.
struct Kept {
  double before = 0, after = 0;
};

/// g ← Σ_k φ_k ⟨φ_k, g⟩ in every compartment, in place. Directions are drawn twice and never stored: 2 · dim · D normals, and memory for a
/// few of them. The same bits with any number of threads.
Kept project_onto_random(const std::vector<Compartment>& compartments, const BasisShape& shape);

}  // namespace tsrun::redrawn
