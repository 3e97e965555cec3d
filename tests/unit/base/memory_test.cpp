#include "tsrun/base/memory.h"

#include <gtest/gtest.h>

#include <string>

namespace tsrun {
namespace {

TEST(MemoryMeter, LosesNothingOfTheProcessNorOfTheMeterAround) {
  const MemoryMeter outer;
  const int64_t before = peak_memory_bytes();
  { const std::string ballast(static_cast<size_t>(before) + (50 << 20), 'x'); }
  const int64_t high = peak_memory_bytes();
  { const MemoryMeter inner; }
  EXPECT_GE(high, before + (40 << 20));
  EXPECT_GE(peak_memory_bytes(), high);
  EXPECT_GE(outer.peak(), high);
}

}  // namespace
}  // namespace tsrun
