#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace tsrun::text {

/// Merges of a byte-pair encoding: (left, right) -> rank and merged id, by open addressing.
class PairTable {
 public:
  static constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();
  struct Merge {
    int32_t rank = kNoRank;
    int32_t id = -1;
  };
  explicit PairTable(size_t count = 0);                   ///< room for `count` pairs
  void insert(int32_t left, int32_t right, Merge merge);  ///< a later merge of the same pair replaces an earlier one
  Merge find(int32_t left, int32_t right) const { return slots_[place(key_of(left, right))].merge; }

 private:
  struct Slot {
    uint64_t key = 0;  ///< 0: free
    Merge merge;
  };
  static uint64_t key_of(int32_t left, int32_t right) {
    return (uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right)) + 1;
  }
  size_t place(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    size_t at = (key * 0x9E3779B97F4A7C15u) >> shift_;
    while (slots_[at].key != 0 && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;
  int shift_;
};

/// Applies merges to `symbols` until none is left: the lowest rank first, the leftmost of equals. In time n log n.
void merge_symbols(const PairTable& merges, std::vector<int32_t>& symbols);

}  // namespace tsrun::text
