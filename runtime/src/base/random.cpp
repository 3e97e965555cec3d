#include "tsrun/base/random.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/philox.h"

namespace tsrun {
namespace {

// The upper half of the counter says what a block is for, so that derived keys never equal drawn numbers.
constexpr uint32_t for_numbers = 0, for_root = 1, for_children = 2;

std::array<uint32_t, 4> block_at(uint64_t counter, uint32_t purpose, uint32_t low, uint32_t high) {
  return philox::block({static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), purpose, 0}, low, high);
}

uint32_t word_of_hex(std::string_view digits) {
  uint32_t word = 0;
  std::from_chars(digits.data(), digits.data() + 8, word, 16);
  return word;
}

}  // namespace

Key Key::root(uint64_t seed) {
  const auto words = block_at(seed, for_root, 0, 0);
  return {words[0], words[1]};
}

Key Key::split(std::string_view name) const {
  const std::string digest = sha256(fmt::format("{:08x}{:08x} {}", low_, high_, name));
  return {word_of_hex(std::string_view(digest).substr(0, 8)), word_of_hex(std::string_view(digest).substr(8, 8))};
}

Key Key::split(uint64_t index) const {
  const auto words = block_at(index, for_children, low_, high_);
  return {words[0], words[1]};
}

std::array<uint32_t, 4> Key::block(uint64_t counter) const { return block_at(counter, for_numbers, low_, high_); }

uint32_t Stream::next() {
  if (left_ == 0) {
    block_ = key_.block(counter_++);
    left_ = 4;
  }
  return block_[static_cast<size_t>(4 - left_--)];
}

double Stream::uniform() {
  const uint64_t high = next(), low = next();
  return static_cast<double>(((high << 32) | low) >> 11) * 0x1p-53;
}

double Stream::normal() {  // Box-Muller; 1 - u keeps the logarithm finite
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

uint64_t Stream::below(uint64_t bound) {
  if (bound == 0) internal_error("Stream::below: bound is 0, expected a positive number");
  constexpr uint64_t largest = std::numeric_limits<uint64_t>::max();
  const uint64_t excess = (largest % bound + 1) % bound;  // 2^64 mod bound: draws above largest - excess would favour small results
  for (;;) {
    const uint64_t high = next(), low = next(), drawn = (high << 32) | low;
    if (drawn <= largest - excess) return drawn % bound;
  }
}

size_t Stream::weighted(std::span<const double> weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (!(total > 0) || !std::isfinite(total))
    internal_error("Stream::weighted: the weights sum to {}, expected a positive finite number", total);
  double left = uniform() * total;
  size_t last_possible = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    if (left < weights[i]) return i;
    left -= weights[i];
    last_possible = i;
  }
  return last_possible;  // rounding left a remainder
}

std::vector<int64_t> permutation(Key key, int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(std::max<int64_t>(0, n)));
  std::iota(order.begin(), order.end(), 0);
  Stream stream(key);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[stream.below(i)]);
  return order;
}

}  // namespace tsrun
