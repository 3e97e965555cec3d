#include <array>
#include <cstdlib>

#include "fuzz/target.h"
#include "tsrun/data/task.h"

using namespace tsrun;

// The first byte chooses the format; the rest is the table.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const std::array<std::string, 3> types{"tsv", "csv", "jsonl"};
  const TableFormat format{.type = types[data[0] % 3], .header = (data[0] & 4) != 0, .quote = (data[0] & 8) != 0 ? "\"" : ""};
  testing::refuse_or_take([&] {
    const Table table = parse_table(testing::text_of(data + 1, size - 1), format, "fuzz");
    if (table.rows.size() != table.lines.size()) std::abort();
    for (const auto& row : table.rows) {
      if (row.size() != table.columns.size()) std::abort();
    }
  });
  return 0;
}
