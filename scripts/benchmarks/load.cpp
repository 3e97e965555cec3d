// Resident memory that loading a model adds to the program, before any weight is touched.
//
// usage: bench_load MODEL
// Prints one JSON line: MiB of the weights in the file, and MiB that resident memory grew by.
#include "benchmark.h"
#include "tsrun/model/model.h"

#include <fstream>
#include <sstream>

namespace tsrun {
namespace {

double resident_mib() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("VmRSS:")) continue;
    std::istringstream words(line.substr(6));
    double kib = 0;
    words >> kib;
    return kib / 1024;
  }
  return 0;
}

void run(const Arguments& arguments) {
  const double before = resident_mib();
  const Model model = load_model(arguments.operands[0], {HeadKind::classification, 2}, Key::root(0));
  const double grown = resident_mib() - before;
  double bytes = 0;
  for (const std::string& name : model.weights.names()) bytes += static_cast<double>(model.weights.at(name).nbytes());
  std::printf("{\"model_mib\": %.1f, \"grown_mib\": %.1f}\n", bytes / (1 << 20), grown);
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark("bench_load", [&] { tsrun::run(tsrun::Arguments(count, words, 1, "bench_load MODEL")); });
}
