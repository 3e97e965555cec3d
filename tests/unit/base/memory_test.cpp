#include "tsrun/base/memory.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <string>
#include <vector>

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

/// Page faults of a block of 48 MiB and four of 24 MiB that are written and freed.
long faults_of_a_pass() {
  const auto faults = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  };
  const long before = faults();
  {
    const std::string large(48 << 20, 'x');
    const std::vector<std::string> several(4, std::string(24 << 20, 'y'));
  }
  return faults() - before;
}

TEST(KeepFreedMemory, SparesPageFaultsOfTheNextPass_AndAMeterReturnsIt) {
  if (::dlsym(RTLD_DEFAULT, "__asan_init") != nullptr) GTEST_SKIP() << "AddressSanitizer has an allocator of its own";
  const auto pass_faults = [] {
    keep_freed_memory();
    const long first = faults_of_a_pass(), second = faults_of_a_pass();
    const MemoryMeter meter;
    const long third = faults_of_a_pass();
    std::_Exit(second < first / 100 && third > first / 2 ? 0 : 1);
  };
  EXPECT_EXIT(pass_faults(), ::testing::ExitedWithCode(0), "");  // in a process of its own: the allocator stays so
}

}  // namespace
}  // namespace tsrun
