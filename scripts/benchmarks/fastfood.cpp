// Times a step within a Fastfood subspace, without the model: one expand and one project over the encoder of MiniLM (six layers, 10.6
// million parameters), a transform a tensor, one z for all.
//
// usage: bench_fastfood [--dim 1000] [--steps 10] [--threads 2]
// Prints one JSON line: median seconds a step, processor time of all threads a step, seconds to draw the map, additions of a step's
// Hadamard transforms, and the bytes that a step must move at least (each padded number's sign, place and normal once each way, and each
// parameter).
#include "basis.h"
#include "benchmark.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"

#include <bit>
#include <chrono>
#include <cmath>

namespace tsrun {
namespace {

ParameterSet minilm_encoder() {
  ParameterSet set;
  const std::vector<std::vector<int64_t>> shapes = {{384, 384}, {384}, {384, 384},  {384},  {384, 384},  {384}, {384, 384}, {384},
                                                    {384},      {384}, {1536, 384}, {1536}, {384, 1536}, {384}, {384},      {384}};
  for (int layer = 0; layer < 6; ++layer)
    for (size_t t = 0; t < shapes.size(); ++t)
      set.layout.add("encoder.layer." + std::to_string(layer) + ".t" + std::to_string(t), shapes[t]);
  set.groups = {{"encoder", 0, set.layout.total()}};
  return set;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void run(const Arguments& arguments) {
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  const ParameterSet set = minilm_encoder();
  const int64_t dim = arguments.number("--dim", 1000);
  auto begin = std::chrono::steady_clock::now();
  const fastfood::Basis basis(set, dim, {}, Key::root(1));
  const double drawn = seconds_since(begin);
  double padded = 0, additions = 0;
  for (const Slice& slice : set.layout.slices()) {
    const auto length = static_cast<double>(std::bit_ceil(static_cast<uint64_t>(slice.size)));
    padded += length;
    additions += 2 * length * std::log2(length);
  }
  const at::Tensor z = at::ones({dim}, at::kFloat), gradient = at::ones({set.layout.total()}, at::kFloat);
  at::Tensor theta = at::zeros({set.layout.total()}, at::kFloat);
  std::vector<double> seconds;
  double busy = 0;
  for (int64_t step = 0; step < arguments.number("--steps", 10) + warm_up; ++step) {
    if (step == warm_up) busy = cpu_seconds();
    begin = std::chrono::steady_clock::now();
    basis.expand(z, theta);
    basis.project(z, gradient);
    if (step >= warm_up) seconds.push_back(seconds_since(begin));
  }
  busy = (cpu_seconds() - busy) / static_cast<double>(seconds.size());
  std::printf(
      "{\"s_per_step\": %.5f, \"cpu_s_per_step\": %.5f, \"draw_s\": %.3f, \"additions\": %.4g, \"bytes\": %.4g, \"peak_mib\": %ld}\n",
      median(seconds), busy, drawn, additions, 2 * padded * 6 + 12 * static_cast<double>(set.layout.total()), peak_mib());
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  using namespace tsrun;
  return run_benchmark("bench_fastfood",
                       [&] { run(Arguments(count, words, 0, "bench_fastfood [--dim 1000] [--steps 10] [--threads 2]")); });
}
