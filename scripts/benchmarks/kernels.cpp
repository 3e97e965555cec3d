// Times every kernel that is compiled for several vector widths, with each of those that the processor has, on one thread.
//
// usage: bench_kernels [--rounds 30] [--only PART_OF_A_NAME]
//
// Prints one JSON line a kernel and width: the lower quartile of many short runs, which alternate between the widths, as GFLOP/s or GB/s,
// and its share of what the processor does at most in the same run: products and sums in registers (of that width) or a plain read of
// memory.
#include "benchmark.h"
#include "model/attention_kernel.h"
#include "model/dropout_kernel.h"
#include "model/norm_kernel.h"
#include "model/rotary_kernel.h"
#include "model/small_gemm.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"
#include "tsrun/linalg/hadamard.h"
#include "tsrun/linalg/long_rows.h"
#include "tsrun/linalg/rows.h"

#include <algorithm>
#include <ctime>
#include <functional>
#include <memory>

namespace tsrun {
namespace {

enum class Bound { products, wide_products, memory, cache };  ///< float32 or float64 arithmetic, reads of memory, or nothing stated

struct Kernel {
  std::string name;
  Bound bound;
  double work;  ///< operations or bytes of a call
  std::function<void()> call;
};

std::vector<float> drawn(int64_t count) {
  std::vector<float> numbers(static_cast<size_t>(count));
  fill_normal(Key::root(1), numbers);
  return numbers;
}

/// Sums of products in twelve registers: what a tile of a product could do without loads.
struct RegisterProducts {
  static constexpr int64_t rounds = 20000, sums = 12;
  template <int W>
  TSRUN_INLINE static void run(float* out) {
    using Floats = typename simd::Simd<W>::Floats;
    Floats total[sums], factor = simd::all<Floats>(*out);
    for (int64_t i = 0; i < sums; ++i) total[i] = simd::all<Floats>(*out + static_cast<float>(i));
    for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
      for (int64_t j = 0; j < sums; ++j) total[j] = total[j] * factor + factor;
    }
    for (const Floats& sum : total) *out += simd::sum(sum);
  }
  static double operations(Vectors vectors) {
    const int64_t lanes = vectors == Vectors::avx512 ? 16 : vectors == Vectors::avx2 ? 8 : 4;
    return static_cast<double>(2 * rounds * sums * lanes);
  }
};

struct ReadMemory {
  template <int W>
  TSRUN_INLINE static void run(const float* data, int64_t count, float* out) {
    using Floats = typename simd::Simd<W>::Floats;
    Floats total[8] = {};
    for (int64_t i = 0; i + 8 * simd::Simd<W>::lanes <= count; i += 8 * simd::Simd<W>::lanes) {
#pragma GCC unroll 8
      for (int64_t j = 0; j < 8; ++j) total[j] += simd::load<Floats>(data + i + j * simd::Simd<W>::lanes);
    }
    for (const Floats& sum : total) *out += simd::sum(sum);
  }
};

struct SmallProduct {
  template <int W>
  TSRUN_INLINE static void run(const float* left, const float* right, float* out, int64_t rows, int64_t columns, int64_t depth) {
    model::multiply<W>({left, depth, 1}, right, columns, out, columns, rows, columns, depth, false);
  }
};

void add_products(std::vector<Kernel>& kernels) {
  for (const int64_t tokens : {64, 96, 128}) {
    for (const bool scores : {true, false}) {  // q kᵀ, and probabilities times values
      const int64_t rows = 24, columns = scores ? tokens : 32, depth = scores ? 32 : tokens;
      auto a = drawn(rows * depth), b = drawn(depth * columns), c = drawn(rows * columns);
      kernels.push_back({fmt::format("attention product {}, {} tokens", scores ? "of scores" : "with values", tokens), Bound::products,
                         static_cast<double>(2 * rows * columns * depth),
                         [=]() mutable { kernel::run<SmallProduct>(a.data(), b.data(), c.data(), rows, columns, depth); }});
    }
  }
}

/// One row and head of twelve, 32 wide, with dropout, as in a step.
struct AttentionCase {
  explicit AttentionCase(int64_t tokens)
      : data(drawn(4 * tokens * 384)), out(static_cast<size_t>(4 * tokens * 384)), logs(static_cast<size_t>(tokens)) {
    unit.queries = unit.keys = tokens;
    unit.size = 32;
    unit.stride = unit.key_stride = 384;
    unit.scale = 0.2F;
    unit.dropout = {1, 2, 6554, 1 / 0.9F};
    unit.query = data.data();
    unit.key = data.data() + tokens * 384;
    unit.value = data.data() + 2 * tokens * 384;
  }
  void forward() { model::attention_forward(unit, out.data() + 3 * unit.queries * 384, logs.data(), scratch); }
  void backward() {
    const model::AttentionGradients grads{out.data(), out.data() + unit.queries * 384, out.data() + 2 * unit.queries * 384};
    model::attention_backward(unit, data.data() + 3 * unit.queries * 384, logs.data(), grads, scratch);
  }
  model::AttentionUnit unit;
  std::vector<float> data, out, logs;
  model::AttentionScratch scratch;
};

void add_attention(std::vector<Kernel>& kernels) {
  for (const int64_t tokens : {64, 128}) {
    const auto unit = std::make_shared<AttentionCase>(tokens);
    unit->forward();
    const auto product = static_cast<double>(2 * tokens * tokens * 32);
    kernels.push_back({fmt::format("attention forward, {} tokens", tokens), Bound::products, 2 * product, [=] { unit->forward(); }});
    kernels.push_back({fmt::format("attention backward, {} tokens", tokens), Bound::products, 5 * product, [=] { unit->backward(); }});
  }
}

/// 64 rows of 384 numbers: what stays in the second cache.
void add_row_kernels(std::vector<Kernel>& kernels) {
  constexpr int64_t rows = 64, width = 384, all = rows * width;
  struct Memory {
    std::vector<float> x = drawn(all), y = drawn(all), z = drawn(all), normal = drawn(all), gain = drawn(width), sums = drawn(width),
                       more = drawn(width), inverse = std::vector<float>(rows, 1.0F), factors = drawn(width + 2 * model::mask_group);
  };
  const auto m = std::make_shared<Memory>();
  model::AddNorm op;
  op.width = width;
  op.dropout = {1, 2, 6554, 1 / 0.9F};
  op.gain = m->gain.data();
  op.epsilon = 1e-12F;
  const auto bytes = [&](int64_t arrays) { return static_cast<double>(arrays * all * 4); };
  kernels.push_back({"norm with residual and dropout", Bound::cache, bytes(4), [=] {
                       model::add_norm_forward(op, m->x.data(), m->y.data(), m->gain.data(), m->z.data(), m->normal.data(),
                                               m->inverse.data(), 0, rows, m->factors.data());
                     }});
  kernels.push_back({"norm with residual, backward", Bound::cache, bytes(4), [=] {
                       model::add_norm_backward(op, m->x.data(), m->normal.data(), m->inverse.data(), m->y.data(), m->z.data(),
                                                m->sums.data(), m->more.data(), 0, rows, m->factors.data());
                     }});
  kernels.push_back({"RMS norm", Bound::cache, bytes(2),
                     [=] { model::rms_norm_forward(m->x.data(), m->gain.data(), 1e-6F, width, m->y.data(), m->inverse.data(), 0, rows); }});
  kernels.push_back({"RMS norm, backward", Bound::cache, bytes(3), [=] {
                       model::rms_norm_backward(m->x.data(), m->normal.data(), m->gain.data(), m->inverse.data(), width, m->y.data(),
                                                m->sums.data(), 0, rows);
                     }});
  kernels.push_back({"dropout", Bound::cache, bytes(2), [=] { model::dropout_range(op.dropout, m->x.data(), m->y.data(), 0, all); }});
  kernels.push_back({"rotary turn", Bound::cache, bytes(2),
                     [=] { model::turn(m->x.data(), width, m->normal.data(), m->z.data(), rows, 12, 32, 1, m->y.data()); }});
  kernels.push_back({"normal numbers", Bound::cache, bytes(1), [=] { fill_normal(Key::root(3), m->y); }});
  kernels.push_back({"uniform numbers", Bound::cache, bytes(1), [=] { fill_uniform(Key::root(3), m->y); }});
}

/// Few rows, each much longer than a cache.
void add_long_kernels(std::vector<Kernel>& kernels) {
  constexpr int64_t dim = 16, columns = 1 << 19, many = 2;
  struct Memory {
    std::vector<float> rows = drawn(dim * columns), out = drawn(many * columns), halves = std::vector<float>(columns, 1e-6F),
                       turned = drawn(columns);
  };
  const auto m = std::make_shared<Memory>();
  const LongRows matrix{m->rows.data(), dim, columns};
  Rows rows{{}, RowType::float32, columns};
  for (int64_t r = 0; r < dim; ++r) rows.data.push_back(matrix.row(r));
  const std::vector<double> coordinates(dim, 1e-6);
  const std::vector<const float*> pair = {m->out.data(), m->out.data() + columns};
  SmallMatrix square(dim, dim), few(many, dim);
  for (double& value : square.values) value = 0.01;
  for (double& value : few.values) value = 1e-6;
  const auto read = static_cast<double>(dim * columns * 4), products = static_cast<double>(2 * dim * dim * columns);
  const ColumnScale scale = [=](int64_t begin, int64_t count, float* factors) { std::copy_n(m->halves.begin() + begin, count, factors); };
  kernels.push_back({"Gram matrix", Bound::wide_products, products / 2, [=] { gram(rows); }});
  kernels.push_back({"combine", Bound::wide_products, products, [=] {
                       std::vector<float*> outs;
                       for (int64_t r = 0; r < dim; ++r) outs.push_back(matrix.row(r));
                       combine(square, rows, outs);
                     }});
  kernels.push_back({"expand", Bound::memory, read, [=] { add_combination(rows, coordinates, std::span(m->out).first(columns)); }});
  kernels.push_back({"project", Bound::memory, read, [=] { dot_products(rows, std::span(m->out).first(columns)); }});
  kernels.push_back({"long rows, products", Bound::memory, read, [=] { multiply_rows(matrix, pair); }});
  kernels.push_back({"long rows, combination", Bound::memory, read, [=] {
                       combine_rows(matrix, few, {{nullptr, 1, m->out.data()}, {nullptr, 1, m->out.data() + columns}});
                     }});
  kernels.push_back({"long rows, products and update", Bound::memory, 2 * read, [=] { multiply_and_update(matrix, pair, scale, few); }});
  kernels.push_back(
      {"long rows, quadratic forms", Bound::memory, static_cast<double>(many * columns * 4),
       [=] { over_quadratic_forms(pair, columns, {SmallMatrix(many, many)}, [](int64_t, int64_t, const auto&) { return TwoSums{}; }); }});
  kernels.push_back({"Hadamard", Bound::memory, static_cast<double>(2 * columns * 4), [=] { hadamard(m->turned); }});
}

/// Of this thread alone, so that other programs on the machine matter less.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds_of(const std::function<void()>& call, int64_t calls) {
  const double start = thread_seconds();
  for (int64_t i = 0; i < calls; ++i) call();
  return (thread_seconds() - start) / static_cast<double>(calls);
}

/// Seconds of a call with each kind of vectors, in the order of vectors_available(): the lower quartile over the rounds, since a thread's
/// clock on a shared machine errs in both directions.
std::vector<double> quartile_seconds(const std::function<void()>& call, int64_t rounds) {
  constexpr double short_run = 5e-4;
  const std::vector<Vectors> available = vectors_available();
  std::vector<std::vector<double>> seconds(available.size());
  const auto calls = std::max<int64_t>(1, static_cast<int64_t>(short_run / seconds_of(call, 3)));
  for (int64_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < available.size(); ++i) {
      set_vectors(available[i]);
      seconds[i].push_back(seconds_of(call, calls));
    }
  }
  std::vector<double> quartiles;
  for (std::vector<double>& each : seconds) {
    std::sort(each.begin(), each.end());
    quartiles.push_back(each[each.size() / 4]);
  }
  return quartiles;
}

/// What the processor does at most: operations a second by width, and bytes read a second.
struct Peaks {
  explicit Peaks(int64_t rounds) {
    float result = 0.5F;
    const std::vector<double> seconds = quartile_seconds([&] { kernel::run<RegisterProducts>(&(result = 0.5F)); }, rounds);
    for (size_t i = 0; i < seconds.size(); ++i) products.push_back(RegisterProducts::operations(vectors_available()[i]) / seconds[i]);
    const std::vector<float> memory = drawn(1 << 24);
    const std::vector<double> reads =
        quartile_seconds([&] { kernel::run<ReadMemory>(memory.data(), static_cast<int64_t>(memory.size()), &result); }, rounds);
    bytes = static_cast<double>(memory.size() * 4) / *std::min_element(reads.begin(), reads.end());
  }
  double of(Bound bound, size_t width) const {
    if (bound == Bound::products) return products[width];
    return bound == Bound::wide_products ? products[width] / 2 : bytes;
  }
  std::vector<double> products;
  double bytes = 0;
};

void run(const Arguments& arguments) {
  set_threads(1);
  const int64_t rounds = arguments.number("--rounds", 30);
  const std::string wanted = arguments.text("--only", "");
  std::vector<Kernel> kernels;
  add_products(kernels);
  add_attention(kernels);
  add_row_kernels(kernels);
  add_long_kernels(kernels);
  const Peaks peaks(rounds);
  for (const Kernel& kernel : kernels) {
    if (kernel.name.find(wanted) == std::string::npos) continue;
    const std::vector<double> seconds = quartile_seconds(kernel.call, rounds);
    const bool counted = kernel.bound == Bound::products || kernel.bound == Bound::wide_products;
    for (size_t i = 0; i < seconds.size(); ++i) {
      const double rate = kernel.work / seconds[i];
      std::printf("{\"kernel\": \"%s\", \"vectors\": \"%s\", \"seconds\": %.3e, \"rate\": %.2f, \"unit\": \"%s\"", kernel.name.c_str(),
                  std::string(vectors_name(vectors_available()[i])).c_str(), seconds[i], rate / 1e9, counted ? "GFLOP/s" : "GB/s");
      if (kernel.bound != Bound::cache) std::printf(", \"share\": %.3f", rate / peaks.of(kernel.bound, i));
      std::printf("}\n");
    }
  }
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark("bench_kernels",
                              [&] { tsrun::run(tsrun::Arguments(count, words, 0, "bench_kernels [--rounds N] [--only PART_OF_A_NAME]")); });
}
