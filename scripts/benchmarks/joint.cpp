// What one step of a joint decomposition costs beside its tasks, in reads of the decoder matrices; one JSON line. In a step the gradient
// shares the optimiser's pass, so what decoding and gradient add is all passes less the bare read and write that any optimiser needs.
//
// usage: bench_joint [--dim 100] [--length 1105920] [--members 3] [--groups 1] [--threads 2] [--rounds 5]
#include "benchmark.h"

#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"
#include "tsrun/train/adafactor.h"

#include <chrono>
#include <functional>

namespace tsrun {
namespace {

at::Tensor normals(uint64_t seed, int64_t rows, int64_t columns) {
  at::Tensor result = at::empty({rows, columns}, at::kFloat);
  fill_normal(Key::root(seed), {result.mutable_data_ptr<float>(), static_cast<size_t>(result.numel())});
  return result;
}

/// Sums the matrix on all threads: what one read costs at least.
double read_once(const LongRows& matrix) {
  const int64_t numbers = matrix.rows * matrix.columns;
  std::vector<double> sums(static_cast<size_t>(matrix.rows));
  parallel_for(matrix.rows, 1, [&](int64_t first, int64_t last) {
    for (int64_t j = first; j < last; ++j) {
      float lanes[64] = {};
      const float* row = matrix.row(j);
      int64_t i = 0;
      for (; i + 64 <= matrix.columns; i += 64)
        for (int64_t lane = 0; lane < 64; ++lane) lanes[lane] += row[i + lane];
      for (; i < matrix.columns; ++i) lanes[0] += row[i];
      for (const float lane : lanes) sums[static_cast<size_t>(j)] += static_cast<double>(lane);
    }
  });
  double sum = 0;
  for (const double value : sums) sum += value;
  return sum / static_cast<double>(numbers);
}

/// Reads and writes the matrix on all threads: what any optimiser's step costs at least.
void write_once(const LongRows& matrix, float factor) {
  parallel_for(matrix.rows, 1, [&](int64_t first, int64_t last) {
    for (float* at = matrix.row(first); at < matrix.row(last); ++at) *at *= factor;
  });
}

/// One member: its decoder, and the long vectors and codes of a step (mixtures of `groups` groups, and one own code).
struct Side {
  Side(int64_t dim, int64_t length, int64_t groups, uint64_t seed)
      : decoder(normals(seed, dim, length)),
        row_squares(static_cast<size_t>(dim)),
        column_squares(static_cast<size_t>(length)),
        vectors(normals(seed + 1, groups + 1, length)),
        decoded(at::empty_like(vectors)),
        codes(groups + 1, dim) {
    const at::Tensor drawn = normals(seed + 2, groups + 1, dim);
    std::copy_n(drawn.const_data_ptr<float>(), drawn.numel(), codes.values.begin());
    for (int64_t k = 0; k <= groups; ++k) {
      wide.push_back(vectors.const_data_ptr<float>() + k * length);
      targets.push_back({wide.back(), 1, decoded.mutable_data_ptr<float>() + k * length});
    }
  }
  LongRows rows() const { return {decoder.mutable_data_ptr<float>(), decoder.size(0), decoder.size(1)}; }
  at::Tensor decoder;
  std::vector<float> row_squares, column_squares;
  at::Tensor vectors, decoded;
  SmallMatrix codes;
  std::vector<const float*> wide;
  std::vector<RowTarget> targets;
};

void run(const Arguments& arguments) {
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  const int64_t dim = arguments.number("--dim", 100), length = arguments.number("--length", 1105920),
                members = arguments.number("--members", 3);
  std::vector<Side> sides;
  for (int64_t m = 0; m < members; ++m) sides.emplace_back(dim, length, arguments.number("--groups", 1), static_cast<uint64_t>(10 * m));
  double sink = 0;
  int64_t step = 0;
  const std::vector<std::pair<const char*, std::function<void(Side&)>>> parts = {
      {"read", [&](Side& side) { sink += read_once(side.rows()); }},
      {"read_and_write", [&](Side& side) { write_once(side.rows(), step % 2 == 0 ? 2.0F : 0.5F); }},
      {"decode", [&](Side& side) { combine_rows(side.rows(), side.codes, side.targets); }},
      {"gradient", [&](Side& side) { sink += multiply_rows(side.rows(), side.wide)(0, 0); }},
      {"gradient_and_update", [&](Side& side) {
         sink += adafactor_outer({step + 1, 1e-4}, side.rows(), side.row_squares, side.column_squares, side.wide, side.codes)(0, 0);
       }}};
  std::map<std::string, std::vector<double>> seconds;
  for (; step < arguments.number("--rounds", 5) + 1; ++step) {
    for (const auto& [name, body] : parts) {
      const auto begin = std::chrono::steady_clock::now();
      for (Side& side : sides) body(side);
      if (step > 0) seconds[name].push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
  }
  const double matrix_mib = 4e0 * static_cast<double>(members * dim * length) / (1 << 20);
  const auto took = [&](const char* name) { return median(seconds.at(name)); };
  const double read = took("read"), step_reads = (took("decode") + took("gradient_and_update")) / read;
  std::printf(
      "{\"dim\": %ld, \"length\": %ld, \"members\": %ld, \"read_s\": %.4f, \"read_and_write_s\": %.4f, \"decode_s\": %.4f, "
      "\"gradient_s\": %.4f, \"gradient_and_update_s\": %.4f, \"reads_alone\": %.3f, \"reads_with_update\": %.3f, "
      "\"reads_in_a_step\": %.3f, \"matrix_mib\": %.0f, \"peak_mib\": %ld, \"check\": %g}\n",
      dim, length, members, read, took("read_and_write"), took("decode"), took("gradient"), took("gradient_and_update"),
      (took("decode") + took("gradient")) / read, step_reads, step_reads - took("read_and_write") / read, matrix_mib, peak_mib(), sink);
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark("bench_joint",
                              [&] { tsrun::run(tsrun::Arguments(count, words, 0, "bench_joint [--dim N] [--length N] …")); });
}
