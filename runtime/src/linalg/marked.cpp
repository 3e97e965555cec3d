#include "tsrun/linalg/marked.h"

#include "tsrun/base/dispatch.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

namespace tsrun {
namespace {

constexpr int64_t marked_block = 1 << 15;

struct ZeroMarked {
  template <int W>
  TSRUN_INLINE static void run(float* numbers, const bool* marks, int64_t count, uint32_t& lost) {
    uint32_t all = 0;
    for (int64_t i = 0; i < count; ++i) {
      const auto bits = std::bit_cast<uint32_t>(numbers[i]);
      const uint32_t marked = 0U - static_cast<uint32_t>(marks[i]);
      all |= bits & marked;
      numbers[i] = std::bit_cast<float>(bits & ~marked);
    }
    lost = all & 0x7FFFFFFFU;  // without the sign
  }
};

struct SquareChange {
  template <int W>
  TSRUN_INLINE static void run(const float* before, const float* after, const bool* marks, int64_t count, SquaredChange& sums) {
    constexpr int64_t lanes = 16;
    double marked[lanes] = {}, others[lanes] = {};
    const auto add = [&](int64_t i, int64_t lane) {
      const float change = after[i] - before[i], square = change * change, chosen = marks[i] ? square : 0;
      marked[lane] += chosen;
      others[lane] += square - chosen;
    };
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
      for (int64_t lane = 0; lane < lanes; ++lane) add(i + lane, lane);
    for (; i < count; ++i) add(i, i % lanes);
    for (const double sum : marked) sums.marked += sum;
    for (const double sum : others) sums.others += sum;
  }
};

/// Runs `body(begin, count, number of the block)`.
template <class Body>
void over_marked_blocks(int64_t count, const Body& body) {
  parallel_for((count + marked_block - 1) / marked_block, 4, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b) body(b * marked_block, std::min(marked_block, count - b * marked_block), b);
  });
}

}  // namespace

bool zero_marked(std::span<float> numbers, const bool* marks) {
  std::atomic<bool> any = false;
  over_marked_blocks(static_cast<int64_t>(numbers.size()), [&](int64_t begin, int64_t count, int64_t) {
    uint32_t lost = 0;
    kernel::run<ZeroMarked>(numbers.data() + begin, marks + begin, count, lost);
    if (lost != 0) any = true;
  });
  return any;
}

void mix_marked(std::span<const float> numbers, const float* target, const bool* marks, float factor, float* out) {
  for (size_t i = 0; i < numbers.size(); ++i)  // without wider vectors, which would fuse the product and the sum
    out[i] = target[i] + (!marks || marks[i] ? factor : 0.0F) * (numbers[i] - target[i]);
}

SquaredChange squared_change(std::span<const float> before, std::span<const float> after, const bool* marks) {
  if (before.size() != after.size()) internal_error("squared_change: {} numbers, then {}", before.size(), after.size());
  std::vector<SquaredChange> parts((before.size() + marked_block - 1) / marked_block);
  over_marked_blocks(static_cast<int64_t>(before.size()), [&](int64_t begin, int64_t count, int64_t block) {
    kernel::run<SquareChange>(before.data() + begin, after.data() + begin, marks + begin, count, parts[static_cast<size_t>(block)]);
  });
  SquaredChange sum;
  for (const SquaredChange& part : parts) sum.marked += part.marked, sum.others += part.others;
  return sum;
}

}  // namespace tsrun
