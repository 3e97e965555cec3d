// Times the exact choice of the largest elements: masks of 10.6 million scores, as many as the layers of MiniLM have matrix elements.
//
// usage: bench_masks [--rounds 7] [--share 0.3] [--threads 2]
// Prints one JSON line: the number of elements, and median seconds of a choice in each of the 36 tensors, and in all together.
#include "benchmark.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"
#include "tsrun/tune/entry_masks.h"

#include <ATen/ops/empty.h>

#include <chrono>

namespace tsrun {
namespace {

/// Six layers of width 384.
std::vector<at::Tensor> scores_of_layers() {
  const std::vector<std::vector<int64_t>> shapes = {{384, 384}, {384, 384}, {384, 384}, {384, 384}, {1536, 384}, {384, 1536}};
  std::vector<at::Tensor> scores;
  for (uint64_t layer = 0; layer < 6; ++layer) {
    for (const auto& shape : shapes) {
      scores.push_back(at::empty(shape, at::kFloat));
      fill_normal(Key::root(1).split(scores.size()), {scores.back().mutable_data_ptr<float>(), static_cast<size_t>(scores.back().numel())});
    }
  }
  return scores;
}

void run(const Arguments& arguments) {
  using Clock = std::chrono::steady_clock;
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  const double share = std::stod(arguments.text("--share", "0.3"));
  const std::vector<at::Tensor> scores = scores_of_layers();
  std::vector<double> seconds[2];
  for (int64_t round = 0; round < arguments.number("--rounds", 7); ++round) {
    for (const bool together : {false, true}) {
      const auto start = Clock::now();
      largest_shares(scores, share, together);
      seconds[together].push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
  }
  int64_t elements = 0;
  for (const at::Tensor& one : scores) elements += one.numel();
  std::printf("{\"elements\": %lld, \"seconds\": %.4f, \"global_seconds\": %.4f}\n", static_cast<long long>(elements), median(seconds[0]),
              median(seconds[1]));
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark("bench_masks",
                              [&] { tsrun::run(tsrun::Arguments(count, words, 0, "bench_masks [--rounds N] [--share S]")); });
}
