#pragma once

#include "tsrun/experiment/report.h"

#include <string>
#include <vector>

namespace tsrun::report {

/// A table as every format prints it: the same columns, cells and section headings; only the markup differs.
struct Cell {
  std::string text;
  bool leading = false;  ///< holds the highest mean of its column
};

struct Section {
  std::string heading;  ///< empty for none
  std::vector<std::vector<Cell>> lines;
};

struct Grid {
  std::vector<std::string> columns;  ///< the first is the variant and is left-aligned; all others are right-aligned
  std::vector<Section> sections;
};

Grid grid_of(const TableHead& head, const std::vector<VariantSummary>& rows);

/// "3 seeds", "1 to 3 seeds"
std::string seeds_in_words(const std::vector<VariantSummary>& rows);

/// What the columns mean, in one paragraph.
std::string legend();

}  // namespace tsrun::report
