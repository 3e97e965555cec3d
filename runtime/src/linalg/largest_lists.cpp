#include "tsrun/linalg/largest_lists.h"

#include "tsrun/base/dispatch.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#include <limits>

namespace tsrun {
namespace {

constexpr int64_t chunk = 64;  ///< numbers that are compared before any is looked at alone

/// Whether one of `count` numbers exceeds its bound; `step` 0: the first bound is everybody's.
struct AnyAbove {
  template <int W>
  TSRUN_INLINE static void run(const float* numbers, const float* bounds, int64_t step, int64_t count, int& any) {
    int found = 0;
    if (step == 0) {
      const float bound = bounds[0];
      for (int64_t i = 0; i < count; ++i) found |= static_cast<int>(numbers[i] > bound);
    } else {
      for (int64_t i = 0; i < count; ++i) found |= static_cast<int>(numbers[i] > bounds[i]);
    }
    any = found;
  }
};

bool any_above(const float* numbers, const float* bounds, int64_t step, int64_t count) {
  int any = 0;
  kernel::run<AnyAbove>(numbers, bounds, step, count, any);
  return any != 0;
}

}  // namespace

LargestLists::LargestLists(int64_t rows, int64_t k) : k_(k) {
  if (rows < 0 || k < 1) internal_error("the {} largest of {} rows; expected one at least", k, rows);
  const float none = -std::numeric_limits<float>::infinity();
  columns_.assign(static_cast<size_t>(rows * k), -1);
  values_.assign(static_cast<size_t>(rows * k), none);
  least_.assign(static_cast<size_t>(rows), none);
}

/// Behind its equals.
void LargestLists::insert(int64_t row, int64_t column, float value) {
  float* values = values_.data() + row * k_;
  int64_t* columns = columns_.data() + row * k_;
  int64_t place = k_ - 1;
  for (; place > 0 && values[place - 1] < value; --place) {
    values[place] = values[place - 1];
    columns[place] = columns[place - 1];
  }
  values[place] = value;
  columns[place] = column;
  least_[static_cast<size_t>(row)] = values[k_ - 1];
}

void LargestLists::show(const float* block, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float& least = least_[static_cast<size_t>(row + i)];
      for (int64_t from = 0; from < columns; from += chunk) {
        const float* numbers = block + i * columns + from;
        const int64_t count = std::min(chunk, columns - from);
        if (!any_above(numbers, &least, 0, count)) continue;
        for (int64_t j = 0; j < count; ++j)
          if (numbers[j] > least) insert(row + i, column + from + j, numbers[j]);
      }
    }
  });
}

void LargestLists::show_transposed(const float* block, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  parallel_for((columns + chunk - 1) / chunk, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const int64_t from = c * chunk, count = std::min(chunk, columns - from);
      const float* least = least_.data() + column + from;
      for (int64_t i = 0; i < rows; ++i) {
        const float* numbers = block + i * columns + from;
        if (!any_above(numbers, least, 1, count)) continue;
        for (int64_t j = 0; j < count; ++j)
          if (numbers[j] > least[j]) insert(column + from + j, row + i, numbers[j]);
      }
    }
  });
}

}  // namespace tsrun
