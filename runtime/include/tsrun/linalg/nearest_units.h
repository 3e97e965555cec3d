#pragma once

#include "tsrun/linalg/largest_lists.h"

#include <cstdint>

namespace tsrun {

/// The `k` largest dot products of every row of `rows` [count, width] with the others. Rows have length 1 or 0; one with NaN is nobody's
/// neighbour and has none. A product is a sum in float64, rounded to float32: the same for every kind of vectors and number of threads.
///
/// Products of rows that are rounded to whole numbers bound those products from above, exactly; few pairs pass and are multiplied again.
/// Work grows with the square of the rows, and further with pairs that lie within 0.001 of the smallest product kept.
/// @throws Error(internal) for k < 1 or a row longer than 1
LargestLists nearest_units(const float* rows, int64_t count, int64_t width, int64_t k);

}  // namespace tsrun
