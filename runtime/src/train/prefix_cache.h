#pragma once

#include "tsrun/data/batch.h"
#include "tsrun/model/family.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <vector>

namespace tsrun::training {

/// Memory and file of a prefix cache.
struct PrefixStorage {
  int64_t memory = int64_t{1} << 30;  ///< bytes; what exceeds them goes to disk
  std::filesystem::path file;         ///< removed when the cache dies
};

/// Output of the frozen bottom layers for rows of a split, computed once per row, in evaluation. Rows are computed in fixed blocks, so the
/// numbers do not depend on the order in which rows are asked for. The weights below must not change while the cache lives.
class PrefixCache {
 public:
  /// `layers`: of the prefix, 1 or more. `family` and `split` must outlive the cache.
  PrefixCache(const Family& family, const EncodedSplit& split, int layers, Precision precision, at::Device device, PrefixStorage storage);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  int layers() const { return layers_; }
  /// Hidden states of `rows`, end to end, [tokens, hidden], on the device. @throws Error(run) when the disk is full.
  at::Tensor hidden(const Weights& weights, std::span<const int64_t> rows);

 private:
  /// Consecutive rows of the split, in memory or at a place of the file.
  struct Block {
    std::vector<int64_t> offsets;  ///< of rows, in hidden states
    at::Tensor states;             ///< undefined: on disk
    int64_t position = 0;          ///< bytes
    int64_t width = 0;
  };
  const Block& block(const Weights& weights, int64_t number);
  Block compute(const Weights& weights, int64_t number) const;
  void write(Block& block);
  at::Tensor row(const Block& block, size_t index);

  const Family& family_;
  const EncodedSplit& split_;
  int layers_;
  Precision precision_;
  at::Device device_;
  PrefixStorage storage_;
  std::map<int64_t, Block> blocks_;
  int64_t held_ = 0, written_ = 0;  ///< bytes in memory and on disk
  std::fstream file_;
};

}  // namespace tsrun::training
