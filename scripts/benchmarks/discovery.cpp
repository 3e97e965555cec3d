// Time, accuracy and memory of finding a trajectory's subspace from files; one JSON line.
//
// usage: bench_discovery [T=32] [D=1000000] [--threads 2]
#include "method.h"

#include "benchmark.h"

#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

using namespace tsrun;
namespace fs = std::filesystem;

double seconds_of(const std::function<void()>& body) {
  std::vector<double> times;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::nth_element(times.begin(), times.begin() + 2, times.end());
  return times[2];
}

double peak_growth_of(const std::function<void()>& body) {
  const OwnMemory watch;
  body();
  return watch.peak_mib() - watch.before_mib();
}

at::Tensor normals(uint64_t seed, int64_t count, double deviation) {
  at::Tensor result = at::empty({count}, at::kFloat);
  fill_normal(Key::root(seed), {result.data_ptr<float>(), static_cast<size_t>(count)}, 0, 0, static_cast<float>(deviation));
  return result;
}

/// A random walk from an origin, as training looks to a Gram matrix.
void record(const fs::path& folder, int64_t points, int64_t size) {
  const at::Tensor origin = normals(0, size, 0.04);
  at::Tensor weights = origin.clone();
  TrajectoryWriter writer(folder, Layout().add("w", {size}), origin, RowType::float32);
  for (int64_t i = 1; i <= points; ++i)
    writer.append({i, static_cast<double>(i)}, weights.add_(normals(static_cast<uint64_t>(i), size, 1e-3)));
}

std::unique_ptr<Subspace> discover(const fs::path& folder, const char* variant, const char* form) {
  const Trajectory trajectory = Trajectory::open(folder);
  SubspaceInputs inputs;
  inputs.parameters = {trajectory.layout(), {{"all", 0, trajectory.layout().total()}}};
  inputs.trajectory = &trajectory;
  const trajectory_svd::Method method;
  return method.discover(inputs, method.options().resolve({{"variant", variant}, {"form", form}}, "bench"));
}

/// Worst relative difference of the kept singular values from those of a float64 factorisation (Householder QR, then SVD of the small
/// factor).
double relative_error(const fs::path& folder, const char* variant) {
  const Trajectory trajectory = Trajectory::open(folder);
  const Rows rows = trajectory.differences();
  at::Tensor w = at::empty({rows.columns, rows.count()}, at::kDouble);
  const auto* origin = trajectory.origin().data();
  for (int64_t r = 0; r < rows.count(); ++r) {
    at::Tensor row = at::from_blob(const_cast<void*>(rows.data[static_cast<size_t>(r)]), {rows.columns}, at::kFloat).to(at::kDouble);
    if (std::string(variant) == "raw") row += at::from_blob(const_cast<float*>(origin), {rows.columns}, at::kFloat);
    w.select(1, r).copy_(row);
  }
  const at::Tensor expected = at::linalg_svdvals(std::get<1>(at::linalg_qr(w, "r")));
  const nlohmann::json group = discover(folder, variant, "factored")->describe()["groups"][0];
  double worst = 0;
  for (int64_t k = 0; k < group["rank"].get<int64_t>(); ++k)
    worst = std::max(worst, std::abs(group["singular_values"][static_cast<size_t>(k)].get<double>() / expected[k].item<double>() - 1));
  return worst;
}

int64_t argument(int argc, char** argv, int place, int64_t fallback) {
  return argc > place && argv[place][0] != '-' ? std::stoll(argv[place]) : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t points = argument(argc, argv, 1, 32), size = argument(argc, argv, 2, 1000000);
  int workers = 2;
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], "--threads") == 0) workers = std::atoi(argv[i + 1]);
  set_threads(workers);
  std::string pattern = (fs::temp_directory_path() / "tsrun-bench-XXXXXX").string();
  const fs::path folder = mkdtemp(pattern.data());
  record(folder, points, size);
  discover(folder, "raw", "factored");  // pages in, threads up
  const double growth = peak_growth_of([&] { discover(folder, "raw", "factored"); });
  const double factored = seconds_of([&] { discover(folder, "raw", "factored"); }),
               dense = seconds_of([&] { discover(folder, "raw", "dense"); });
  const auto basis = discover(folder, "delta", "dense");
  at::Tensor z = normals(1, basis->dim(), 1), out = normals(2, size, 1);
  const double expand_seconds = seconds_of([&] { basis->expand(z, out); }), project_seconds = seconds_of([&] { basis->project(z, out); });
  const double error = std::max(relative_error(folder, "raw"), relative_error(folder, "delta"));
  const nlohmann::json result = {{"t", points},
                                 {"d", size},
                                 {"threads", workers},
                                 {"seconds", factored},
                                 {"dense_seconds", dense},
                                 {"relative_error", error},
                                 {"peak_growth_mib", growth},
                                 {"expand_seconds", expand_seconds},
                                 {"project_seconds", project_seconds},
                                 {"expand_gb_per_s", 4e-9 * static_cast<double>((basis->dim() + 2) * size) / expand_seconds},
                                 {"project_gb_per_s", 4e-9 * static_cast<double>((basis->dim() + 1) * size) / project_seconds}};
  std::printf("%s\n", result.dump().c_str());
  fs::remove_all(folder);
}
