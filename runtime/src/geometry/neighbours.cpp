#include "geometry/blocks.h"
#include "tsrun/base/random.h"
#include "tsrun/geometry/geometry.h"

#include <cmath>

// Candidates come from float32 products of centred rows; their distances are computed again in float64, so that the nearest two are exact
// as long as float32 mistakes no distance for that of the candidate last in order.
namespace tsrun {
namespace {

constexpr int64_t candidates = 8;           ///< of which two are the nearest neighbours
constexpr int64_t block_numbers = 1 << 23;  ///< of a block of distances
constexpr double discarded = 0.1;           ///< share of the largest ratios

std::vector<int64_t> asked_rows(int64_t rows, int64_t most) {
  const int64_t count = most == 0 ? rows : std::min(rows, most);
  std::vector<int64_t> order = permutation(Key::root(0).split("two nearest neighbours"), rows);
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

/// Distances of each of the rows `asked` to its nearest two others, float64 [asked, 2], ascending.
at::Tensor nearest_two(const at::Tensor& rows, const at::Tensor& asked) {
  const at::Tensor close = (rows.to(at::kDouble) - mean_row(rows)).to(at::kFloat), squares = close.square().sum(1);
  const int64_t height = std::max<int64_t>(1, block_numbers / rows.size(0)), kept = std::min(candidates, rows.size(0) - 1);
  std::vector<at::Tensor> found;
  for (int64_t begin = 0; begin < asked.size(0); begin += height) {
    const at::Tensor part = asked.narrow(0, begin, std::min(height, asked.size(0) - begin));
    // Without ‖x‖² of the asked row itself, the same for all of its distances.
    at::Tensor distances = at::addmm(squares.unsqueeze(0), close.index_select(0, part), close.t(), 1, -2);
    distances.scatter_(1, part.unsqueeze(1), INFINITY);
    const at::Tensor near = std::get<1>(distances.topk(kept, 1, /*largest=*/false));
    const at::Tensor there = rows.index_select(0, near.flatten()).to(at::kDouble).view({part.size(0), kept, rows.size(1)});
    const at::Tensor exact = at::linalg_vector_norm(there - rows.index_select(0, part).to(at::kDouble).unsqueeze(1), 2, 2);
    found.push_back(std::get<0>(exact.topk(2, 1, /*largest=*/false)));
  }
  return at::cat(found);
}

/// Slope of −log(1 − F) over log μ; F(μ) is the share of ratios up to μ.
double fitted_slope(const at::Tensor& ratios) {
  const at::Tensor sorted = std::get<0>(ratios.log().sort());
  const int64_t count = sorted.size(0), kept = static_cast<int64_t>(static_cast<double>(count) * (1 - discarded));
  const double* x = sorted.const_data_ptr<double>();
  double products = 0, squares = 0;
  for (int64_t i = 0; i < kept; ++i) {
    products -= x[i] * std::log1p(-static_cast<double>(i + 1) / static_cast<double>(count));
    squares += x[i] * x[i];
  }
  return squares > 0 ? products / squares : std::nan("");
}

}  // namespace

IntrinsicDimension intrinsic_dimension(const at::Tensor& rows, int64_t most) {
  const at::Tensor distinct = std::get<0>(at::unique_dim(rows, 0));
  IntrinsicDimension found{std::nan(""), distinct.size(0), 0};
  if (found.distinct < 3) return found;
  const at::Tensor asked = at::tensor(asked_rows(found.distinct, most), at::kLong);
  found.asked = asked.size(0);
  const at::Tensor distances = nearest_two(distinct, asked);
  found.value = fitted_slope((distances.select(1, 1) / distances.select(1, 0)).contiguous());
  return found;
}

}  // namespace tsrun
