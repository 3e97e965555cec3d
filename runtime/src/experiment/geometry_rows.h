#pragma once

#include "tsrun/experiment/geometry.h"
#include "tsrun/geometry/frequency.h"

namespace tsrun::experiment {

/// The vectors that a geometry is measured of.
struct MeasuredRows {
  at::Tensor rows;           ///< [rows, width] on the CPU
  std::vector<int64_t> ids;  ///< word of every row; −1 of a vector in front of a row's words; empty: rows are classes, not words
  std::string parameter;     ///< of embeddings
  std::optional<int> layer;  ///< of hidden states
  bool tied = false;
};

/// Whether a head that scores words shares its matrix with the word embeddings.
bool ties_words(const Family& family);

/// @throws Error as geometry_of
MeasuredRows measured_rows(const Model& model, const Task* task, const GeometryRequest& request, at::Device device);

}  // namespace tsrun::experiment
