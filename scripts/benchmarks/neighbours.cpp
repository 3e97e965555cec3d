// Times the exact nearest neighbours of every row of a matrix, as graphs over words refresh them.
//
// usage: bench_neighbours ROWS WIDTH [--neighbours 10] [--threads 2]
// Prints one JSON line: seconds, and processor seconds of all threads.
#include "benchmark.h"

#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"
#include "tsrun/tune/word_statistics.h"

#include <ATen/ops/empty.h>

#include <chrono>

namespace tsrun {
namespace {

void run(const Arguments& arguments) {
  using Clock = std::chrono::steady_clock;
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  at::Tensor rows = at::empty({std::stoll(arguments.operands[0]), std::stoll(arguments.operands[1])}, at::kFloat);
  fill_normal(Key::root(0), {rows.mutable_data_ptr<float>(), static_cast<size_t>(rows.numel())});
  const auto start = Clock::now();
  const double before = cpu_seconds();
  nearest_rows(rows, arguments.number("--neighbours", 10));
  std::printf("{\"seconds\": %.3f, \"cpu_seconds\": %.3f}\n", std::chrono::duration<double>(Clock::now() - start).count(),
              cpu_seconds() - before);
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark("bench_neighbours",
                              [&] { tsrun::run(tsrun::Arguments(count, words, 2, "bench_neighbours ROWS WIDTH [--threads N] …")); });
}
