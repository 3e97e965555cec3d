#pragma once

#include <cstdint>
#include <vector>

/// The sum of a matrix's rows divided by their norms, and its gradient: one pass over memory each. Rows of zeros take no part. Results are
/// the same for any number of threads.
namespace tsrun {

/// s = Σ_i x_i / ‖x_i‖ over the rows of x, [rows, width]; `inverse_norm[i]` becomes 1 / ‖x_i‖, 0 of a zero row. Reads x once.
std::vector<double> sum_of_units(const float* x, int64_t rows, int64_t width, float* inverse_norm);
std::vector<double> sum_of_units(const double* x, int64_t rows, int64_t width, double* inverse_norm);

/// gradient_i += factor · ∂(x̂_i · direction)/∂x_i = factor · (direction − x̂_i (x̂_i · direction)) / ‖x_i‖. Reads x once, and reads and
/// writes the gradient once.
void add_gradients_of_units(const float* x, int64_t rows, int64_t width, const float* inverse_norm, const std::vector<double>& direction,
                            double factor, float* gradient);
void add_gradients_of_units(const double* x, int64_t rows, int64_t width, const double* inverse_norm, const std::vector<double>& direction,
                            double factor, double* gradient);

}  // namespace tsrun
