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
  std::vector<double> seconds, peak, grown;  ///< s, MB, MB
  int64_t trainable = 0, bytes_shipped = 0;
};

void add_resources(Taken& taken, const ResourceRow& row) {
  constexpr double megabyte = 1e6;
  if (!taken.keys.insert(row.key).second) return;
  taken.seconds.push_back(row.seconds);
  taken.trainable = std::max(taken.trainable, row.trainable);
  taken.bytes_shipped = std::max(taken.bytes_shipped, row.bytes_shipped);
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
      taken = all.insert(all.end(), Taken{.variant = row.variant, .keys = {}, .seconds = {}, .peak = {}, .grown = {}});
    add_resources(*taken, row);
    machines.insert(row.machine);
  }
  FreeTable table;
  table.name = "resources";
  table.caption = "What each variant took";
  table.columns = {"variant", "seconds", "peak memory (MB)", "above the start (MB)", "trainable", "shipped (bytes)"};
  table.digits = {0, 1, 0, 0, 0, 0};
  for (const auto& taken : all)
    table.rows.push_back({{.kind = FreeTable::Entry::Kind::words, .words = taken.variant},
                          measured(taken.seconds),
                          measured(taken.peak),
                          measured(taken.grown),
                          whole_entry(taken.trainable),
                          whole_entry(taken.bytes_shipped)});
  table.note = fmt::format(
      "Measured when each result was made, with its evaluations; a training that was stopped counts from where it was taken up again. "
      "Memory is what "
      "the process holds in main memory, the program itself included. On: {}.",
      fmt::join(machines, "; "));
  return table;
}

}  // namespace tsrun
