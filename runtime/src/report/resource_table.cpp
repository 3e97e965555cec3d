#include "tsrun/report/table_description.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace tsrun {

namespace {

struct Taken {
  std::string variant;
  std::set<std::string> keys;
  std::vector<double> seconds, peak, grown;              ///< s, MB, MB
  std::vector<double> step, trained, forward, backward;  ///< ms, %, %, %
  int64_t trainable = 0, bytes_shipped = 0;
};

void add_resources(Taken& taken, const ResourceRow& row) {
  constexpr double megabyte = 1e6;
  if (!taken.keys.insert(row.key).second) return;
  taken.seconds.push_back(row.seconds);
  taken.trainable = std::max(taken.trainable, row.trainable);
  taken.bytes_shipped = std::max(taken.bytes_shipped, row.bytes_shipped);
  if (row.step_seconds > 0) taken.step.push_back(1000 * row.step_seconds);
  if (row.trainable_share) taken.trained.push_back(100 * *row.trainable_share);
  if (row.forward_share) taken.forward.push_back(100 * *row.forward_share);
  if (row.backward_share) taken.backward.push_back(100 * *row.backward_share);
  if (row.peak_memory_bytes == 0) return;
  taken.peak.push_back(static_cast<double>(row.peak_memory_bytes) / megabyte);
  taken.grown.push_back(static_cast<double>(row.peak_memory_bytes - row.memory_before_bytes) / megabyte);
}

FreeTable::Entry whole_entry(int64_t value) {
  return {.kind = FreeTable::Entry::Kind::whole, .words = {}, .value = static_cast<double>(value)};
}

FreeTable::Entry measured(const std::vector<double>& values) { return values.empty() ? FreeTable::Entry{} : spread_of(values); }

}  // namespace

FreeTable resource_table(const std::vector<ResourceRow>& rows) {
  std::vector<Taken> all;
  std::set<std::string> machines;
  for (const auto& row : rows) {
    auto taken = std::find_if(all.begin(), all.end(), [&](const Taken& t) { return t.variant == row.variant; });
    if (taken == all.end())
      taken = all.insert(all.end(), Taken{.variant = row.variant,
                                          .keys = {},
                                          .seconds = {},
                                          .peak = {},
                                          .grown = {},
                                          .step = {},
                                          .trained = {},
                                          .forward = {},
                                          .backward = {}});
    add_resources(*taken, row);
    machines.insert(row.machine);
  }
  FreeTable table;
  table.name = "resources";
  table.caption = "What each variant took";
  table.columns = {"variant",   "seconds",  "step (ms)",   "peak memory (MB)", "above the start (MB)",
                   "trainable", "free (%)", "forward (%)", "backward (%)",     "shipped (bytes)"};
  table.digits = {0, 1, 1, 0, 0, 0, 1, 1, 1, 0};
  for (const auto& taken : all)
    table.rows.push_back({{.kind = FreeTable::Entry::Kind::words, .words = taken.variant},
                          measured(taken.seconds),
                          measured(taken.step),
                          measured(taken.peak),
                          measured(taken.grown),
                          whole_entry(taken.trainable),
                          measured(taken.trained),
                          measured(taken.forward),
                          measured(taken.backward),
                          whole_entry(taken.bytes_shipped)});
  table.note = fmt::format(
      "Measured when each result was made, with its evaluations; a training that was stopped counts from where it was resumed. Memory: "
      "main memory of the process, the program itself included. Free: trainable parameters outside masks, as a share of the model's. "
      "Forward and backward: work in the layers' products, as a share of full fine-tuning's. On: {}.",
      fmt::join(machines, "; "));
  return table;
}

}  // namespace tsrun
