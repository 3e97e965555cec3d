#pragma once

#include <cstdint>
#include <functional>

namespace tsrun {

/// Runs `body(begin, end)` over disjoint ranges that cover [0, count), at least `grain` units each, on LibTorch's thread pool,
/// so that the process has one pool. Bodies must not throw.
void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body);

/// Threads that `parallel_for` and LibTorch use. `set_threads(0)` takes $OMP_NUM_THREADS, or else the cores this process may run on.
void set_threads(int threads);
int threads();

}  // namespace tsrun
