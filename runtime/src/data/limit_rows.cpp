#include "tsrun/base/error.h"
#include "tsrun/base/random.h"
#include "tsrun/data/task.h"

#include <algorithm>
#include <numeric>

namespace tsrun {
namespace {

constexpr size_t kBins = 5;

/// Class of every row; of a regression, its fifth in the order of values.
std::vector<size_t> strata_of(const Task& task, const std::vector<Example>& examples) {
  std::vector<size_t> strata(examples.size());
  if (task.kind == TaskKind::classification || task.kind == TaskKind::multiple_choice) {
    for (size_t i = 0; i < examples.size(); ++i) strata[i] = static_cast<size_t>(examples[i].target);
    return strata;
  }
  if (task.kind != TaskKind::regression)
    user_error("task '{}': a {} has no classes to choose rows by; expected stratify left out", task.name, name_of(task.kind));
  std::vector<size_t> order(examples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return examples[a].target < examples[b].target; });
  for (size_t place = 0; place < order.size(); ++place) strata[order[place]] = place * kBins / order.size();
  return strata;
}

/// Rows of each stratum: rows · size / all, the rest by the largest fractions, then by number.
std::vector<int64_t> quotas_of(const std::vector<int64_t>& sizes, int64_t rows) {
  const int64_t all = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  std::vector<int64_t> quotas, order(sizes.size());
  for (const int64_t size : sizes) quotas.push_back(size * rows / all);
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return sizes[static_cast<size_t>(a)] * rows % all > sizes[static_cast<size_t>(b)] * rows % all;
  });
  int64_t left = rows - std::accumulate(quotas.begin(), quotas.end(), int64_t{0});
  for (size_t i = 0; left > 0; ++i, --left) ++quotas[static_cast<size_t>(order[i])];
  return quotas;
}

/// The first of `order` that their strata have room for.
std::vector<int64_t> stratified(const std::vector<int64_t>& order, const std::vector<size_t>& strata, int64_t rows) {
  std::vector<int64_t> sizes(1 + *std::max_element(strata.begin(), strata.end()));
  for (const size_t stratum : strata) ++sizes[stratum];
  std::vector<int64_t> room = quotas_of(sizes, rows), chosen;
  for (const int64_t row : order)
    if (room[strata[static_cast<size_t>(row)]]-- > 0) chosen.push_back(row);
  return chosen;
}

}  // namespace

void limit_rows(Task& task, const std::string& split, int64_t rows, RowChoice choice, int64_t draw) {
  const auto found = task.splits.find(split);
  if (found == task.splits.end()) return;
  auto& examples = found->second.examples;
  if (rows == 0 || rows >= static_cast<int64_t>(examples.size())) return;
  auto order = permutation(Key::root(static_cast<uint64_t>(draw)).split("rows of a limited split"), static_cast<int64_t>(examples.size()));
  if (choice == RowChoice::stratified) order = stratified(order, strata_of(task, examples), rows);
  order.resize(static_cast<size_t>(rows));
  std::sort(order.begin(), order.end());
  std::vector<Example> kept;
  for (const int64_t row : order) kept.push_back(std::move(examples[static_cast<size_t>(row)]));
  examples = std::move(kept);
}

}  // namespace tsrun
