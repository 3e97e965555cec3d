#include "tsrun/base/parallel.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace tsrun {
namespace {

int cores_of_this_process() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  const int count =
      sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, count);
}

int default_threads() {
  const char* asked = std::getenv("OMP_NUM_THREADS");
  const int count = asked ? std::atoi(asked) : 0;
  return count > 0 ? count : cores_of_this_process();
}

}  // namespace

void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body) {
  if (count > 0) at::parallel_for(0, count, std::max<int64_t>(1, grain), body);
}

void set_threads(int threads) { at::set_num_threads(threads > 0 ? threads : default_threads()); }
int threads() { return at::get_num_threads(); }

}  // namespace tsrun
