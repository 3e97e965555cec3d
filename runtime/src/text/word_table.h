#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::text {

/// A map from byte strings to ids in three flat arrays; a look-up hashes once and touches little memory.
class WordTable {
 public:
  WordTable();
  void insert(std::string_view word, int32_t id);  ///< a later id replaces an earlier one
  int32_t find(std::string_view word) const;       ///< -1: not there

 private:
  struct Slot {
    uint32_t mark = 0;  ///< upper half of the hash
    uint32_t begin = 0, size = 0;
    int32_t id = -1;  ///< -1: free
  };
  size_t place(std::string_view word, uint64_t hash) const;
  void grow();

  std::vector<Slot> slots_;
  std::string bytes_;
  size_t count_ = 0;
};

}  // namespace tsrun::text
