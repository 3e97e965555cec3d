// Times the metrics of geometry on normal vectors, as many as MiniLM has words.
//
// usage: bench_geometry [--rows 30522] [--width 384] [--neighbour-rows 2000] [--rounds 3] [--threads 2]
// Prints one JSON line: median seconds of each part, as given and centred together, and of all; distances are those of the intrinsic
// dimension.
#include "tsrun/geometry/geometry.h"
#include "benchmark.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"

#include <ATen/ops/empty.h>

#include <chrono>

namespace tsrun {
namespace {

void run(const Arguments& arguments) {
  using Clock = std::chrono::steady_clock;
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  const at::Tensor rows = at::empty({arguments.number("--rows", 30522), arguments.number("--width", 384)}, at::kFloat);
  fill_normal(Key::root(1), {rows.mutable_data_ptr<float>(), static_cast<size_t>(rows.numel())}, 0, 0.01F, 0.05F);
  std::map<std::string, std::vector<double>> seconds;
  const auto timed = [&](const std::string& name, const auto& work) {
    const auto start = Clock::now();
    work();
    seconds[name].push_back(std::chrono::duration<double>(Clock::now() - start).count());
  };
  for (int64_t round = 0; round < arguments.number("--rounds", 3); ++round) {
    timed("all", [&] {
      for (const at::Tensor& mean : {at::Tensor(), mean_row(rows)}) {
        SingularDirections found;
        timed("cosines", [&] { cosines_of(rows, mean); });
        timed("spectrum", [&] { found = singular_directions(rows, mean); });
        timed("isotropy", [&] { isotropy_of(rows, mean, found.directions); });
      }
      timed("distances", [&] { intrinsic_dimension(rows, arguments.number("--neighbour-rows", 2000)); });
    });
  }
  std::printf("{\"cosines\": %.3f, \"spectrum\": %.3f, \"isotropy\": %.3f, \"distances\": %.3f, \"all\": %.3f, \"peak_mib\": %ld}\n",
              2 * median(seconds["cosines"]), 2 * median(seconds["spectrum"]), 2 * median(seconds["isotropy"]),
              median(seconds["distances"]), median(seconds["all"]), peak_mib());
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark("bench_geometry", [&] {
    tsrun::run(tsrun::Arguments(count, words, 0, "bench_geometry [--rows N] [--width N] [--neighbour-rows N] [--rounds N] [--threads N]"));
  });
}
