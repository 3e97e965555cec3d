#pragma once

#include "tsrun/base/vectors.h"

#include <gtest/gtest.h>

#include <string>

namespace tsrun {

/// Runs `body` with every kind of vectors that this processor has.
template <class Body>
void with_every_vectors(const Body& body) {
  const Vectors before = vectors();
  for (const Vectors each : vectors_available()) {
    SCOPED_TRACE(std::string(vectors_name(each)));
    set_vectors(each);
    body();
  }
  set_vectors(before);
}

}  // namespace tsrun
