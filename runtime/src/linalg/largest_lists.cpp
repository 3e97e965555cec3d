#include "tsrun/linalg/largest_lists.h"

#include "tsrun/base/error.h"

#include <limits>

namespace tsrun {

LargestLists::LargestLists(int64_t rows, int64_t k) : k_(k), locks_(std::make_unique<std::array<std::mutex, locks>>()) {
  if (rows < 0 || k < 1) internal_error("the {} largest of {} rows; expected one at least", k, rows);
  columns_.assign(static_cast<size_t>(rows * k), -1);
  values_.assign(static_cast<size_t>(rows * k), -std::numeric_limits<float>::infinity());
}

float LargestLists::offer(int64_t row, int64_t column, float value) {
  const std::lock_guard lock((*locks_)[static_cast<size_t>(row % locks)]);
  float* values = values_.data() + row * k_;
  int64_t* columns = columns_.data() + row * k_;
  const auto precedes = [&](int64_t place) {
    return columns[place] < 0 ? value == value : value > values[place] || (value == values[place] && column < columns[place]);
  };
  int64_t place = k_ - 1;
  if (!precedes(place)) return values[place];
  for (; place > 0 && precedes(place - 1); --place) {
    values[place] = values[place - 1];
    columns[place] = columns[place - 1];
  }
  values[place] = value;
  columns[place] = column;
  return values[k_ - 1];
}

}  // namespace tsrun
