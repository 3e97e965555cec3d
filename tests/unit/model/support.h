#pragma once

#include "tsrun/base/operators.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/model/model.h"

#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace tsrun {

/// A folder of a test's own, gone afterwards.
class TestFolder {
 public:
  TestFolder() : path_(std::filesystem::temp_directory_path() / ("tsrun_model_" + std::to_string(std::random_device{}()))) {
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::filesystem::path tiny_folder() { return std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/bert_tiny"; }

inline const HeadSpec two_classes{HeadKind::classification, 2};

/// A small BERT: 24 wide, 3 heads, 2 layers.
inline nlohmann::json small_config() {
  return {{"model_type", "bert"},         {"vocab_size", 50},         {"hidden_size", 24},
          {"num_hidden_layers", 2},       {"num_attention_heads", 3}, {"intermediate_size", 40},
          {"max_position_embeddings", 32}};
}

/// Rows of the given lengths with made-up tokens; the second half of every row is segment 1.
inline PackedRows made_up_rows(const std::vector<int64_t>& lengths, int64_t vocabulary, int64_t seed = 1) {
  PackedRows rows;
  rows.offsets.push_back(0);
  for (size_t row = 0; row < lengths.size(); ++row) {
    for (int64_t i = 0; i < lengths[row]; ++i) {
      rows.ids.push_back((7 * i + 13 * static_cast<int64_t>(row) + 5 * seed) % vocabulary);
      rows.segments.push_back(2 * i >= lengths[row]);
      rows.positions.push_back(i);
    }
    rows.offsets.push_back(rows.offsets.back() + lengths[row]);
    rows.targets.push_back(static_cast<double>(row % 2));
    rows.row_numbers.push_back(static_cast<int64_t>(row));
  }
  return rows;
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

/// |a - b| against |b|, both as vectors.
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const double scale = b.to(at::kDouble).norm().item<double>();
  return (a.to(at::kDouble) - b.to(at::kDouble)).norm().item<double>() / std::max(scale, 1e-12);
}

}  // namespace tsrun
