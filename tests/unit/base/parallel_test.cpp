#include "tsrun/base/parallel.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace tsrun {
namespace {

class Parallel : public ::testing::Test {
 protected:
  Parallel() { unsetenv("OMP_NUM_THREADS"); }
  ~Parallel() override {
    unsetenv("OMP_NUM_THREADS");
    set_threads(before_);
  }

 private:
  int before_ = threads();
};

TEST_F(Parallel, VisitsEveryUnitOnce) {
  set_threads(3);
  for (const int64_t count : {0, 1, 7, 1000}) {
    std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
    parallel_for(count, 10, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
    });
    for (const auto& visit : visits) EXPECT_EQ(visit, 1);
  }
}

TEST_F(Parallel, UsesTheThreadsThatWereSet) {
  set_threads(3);
  EXPECT_EQ(threads(), 3);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  parallel_for(3000, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(Parallel, CountsTheCoresOfItsAffinityMask) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  set_threads(0);
  EXPECT_EQ(threads(), CPU_COUNT(&before));
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  set_threads(0);
  EXPECT_EQ(threads(), 1);
  sched_setaffinity(0, sizeof before, &before);
}

TEST_F(Parallel, FollowsOpenMpsVariable_WhenNoNumberIsAskedFor) {
  setenv("OMP_NUM_THREADS", "3", 1);
  set_threads(0);
  EXPECT_EQ(threads(), 3);
  set_threads(2);
  EXPECT_EQ(threads(), 2);
}

TEST_F(Parallel, CountsCores_WhenOpenMpsVariableIsNoNumber) {
  set_threads(0);
  const int cores = threads();
  for (const char* text : {"", "many", "0", "-1"}) {
    setenv("OMP_NUM_THREADS", text, 1);
    set_threads(0);
    EXPECT_EQ(threads(), cores) << text;
  }
}

}  // namespace
}  // namespace tsrun
