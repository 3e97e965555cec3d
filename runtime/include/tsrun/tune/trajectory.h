#pragma once

#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/linalg/layout.h"
#include "tsrun/linalg/rows.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <memory>
#include <vector>

namespace tsrun {

/// The path of a parameter set during training: the origin and, for each recorded point, the difference from it, as rows on disk.
///
/// Folder: trajectory.json (layout, row type, points), origin.safetensors, row-00001.safetensors, … each with one flat tensor.
struct TrajectoryPoint {
  int64_t step = 0;
  double epoch = 0;
};

class Trajectory {
 public:
  /// @throws Error(data)
  static Trajectory open(const std::filesystem::path& folder);
  const Layout& layout() const { return layout_; }
  const std::vector<TrajectoryPoint>& points() const { return points_; }
  int64_t size() const { return static_cast<int64_t>(points_.size()); }
  std::span<const float> origin() const;
  Rows differences() const;  ///< rows θ_i − θ_0, memory-mapped
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  Layout layout_;
  std::vector<TrajectoryPoint> points_;
  RowType type_ = RowType::float32;
  std::shared_ptr<const SafetensorsFile> origin_;
  std::vector<std::shared_ptr<const SafetensorsFile>> rows_;
};

class TrajectoryWriter {
 public:
  TrajectoryWriter(std::filesystem::path folder, Layout layout, const at::Tensor& origin, RowType type);
  /// Reopens a partly written folder after a resume, dropping points after `step`.
  static TrajectoryWriter resume(std::filesystem::path folder, int64_t step);
  void append(const TrajectoryPoint& point, const at::Tensor& flat_weights);  ///< durable when it returns
  int64_t size() const { return static_cast<int64_t>(points_.size()); }

 private:
  TrajectoryWriter() = default;
  void write_index() const;
  std::filesystem::path folder_;
  Layout layout_;
  at::Tensor origin_;
  RowType type_ = RowType::float32;
  std::vector<TrajectoryPoint> points_;
};

}  // namespace tsrun
