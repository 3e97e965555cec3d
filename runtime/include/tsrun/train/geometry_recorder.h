#pragma once

#include "tsrun/geometry/geometry.h"
#include "tsrun/train/observer.h"

#include <memory>
#include <string>
#include <vector>

namespace tsrun {

/// The geometry of a parameter's rows at one step of a training.
struct GeometryPoint {
  int64_t step = 0;
  double epoch = 0;
  RowGeometry given, centred;  ///< of the spectrum without its list
};

struct GeometryRecording {
  std::string parameter;  ///< [rows, width]: word embeddings, or a label matrix
  int64_t every = 1;      ///< steps
  int64_t top_k = 10;
};

/// Measures `what.parameter` before the first step, every `what.every` steps, and at the end. `points`, which must outlive the training, is
/// filled when it has finished.
std::unique_ptr<Observer> make_geometry_recorder(GeometryRecording what, std::vector<GeometryPoint>& points);

}  // namespace tsrun
