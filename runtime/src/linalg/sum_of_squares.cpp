#include "tsrun/linalg/sum_of_squares.h"

#include "linalg/wide_dot.h"

namespace tsrun {
namespace {

struct SumSquares {
  template <int W>
  TSRUN_INLINE static void run(std::span<const float> x, double* sum) {
    *sum = linalg::wide_dot(x.data(), x.data(), static_cast<int64_t>(x.size()));
  }
};

}  // namespace

double sum_of_squares(std::span<const float> x) {
  double sum = 0;
  kernel::run<SumSquares>(x, &sum);
  return sum;
}

}  // namespace tsrun
