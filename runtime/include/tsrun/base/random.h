#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

/// Counter-based random numbers under split keys (Philox 4x32-10; Salmon et al., SC 2011).
///
/// Every consumer derives a key of its own by name, so a new consumer shifts nobody's stream, and any number can be drawn
/// in any order, by any number of threads, with the same result.
namespace tsrun {

class Key {
 public:
  static Key root(uint64_t seed);
  Key split(std::string_view name) const;                 ///< by purpose: "dropout", "data order"
  Key split(uint64_t index) const;                        ///< by position: epoch, step, layer
  std::array<uint32_t, 4> block(uint64_t counter) const;  ///< 128 random bits
  std::array<uint32_t, 2> words() const { return {low_, high_}; }
  static Key from_words(std::array<uint32_t, 2> words) { return {words[0], words[1]}; }  ///< inverse of `words()`
  friend bool operator==(const Key&, const Key&) = default;

 private:
  Key(uint32_t low, uint32_t high) : low_(low), high_(high) {}
  uint32_t low_ = 0, high_ = 0;
};

/// Sequential random numbers of one key; for host-side decisions, not for tensors. One thread only.
class Stream {
 public:
  explicit Stream(Key key) : key_(key) {}
  uint32_t next();
  double uniform();                                  ///< in [0, 1), 53 bits
  double normal();                                   ///< standard normal
  uint64_t below(uint64_t bound);                    ///< unbiased; bound > 0
  size_t weighted(std::span<const double> weights);  ///< index drawn in proportion to its weight

 private:
  Key key_;
  uint64_t counter_ = 0;
  std::array<uint32_t, 4> block_{};
  int left_ = 0;
};

/// A permutation of 0..n-1 (Fisher-Yates).
std::vector<int64_t> permutation(Key key, int64_t n);

/// Fills `out` with numbers `offset`, `offset`+1, … of the key's stream; any split of a range over calls or threads gives the same numbers.
void fill_normal(Key key, std::span<float> out, uint64_t offset = 0, float mean = 0, float deviation = 1);
void fill_uniform(Key key, std::span<float> out, uint64_t offset = 0, float low = 0, float high = 1);

}  // namespace tsrun
