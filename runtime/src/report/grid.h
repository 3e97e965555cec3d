#pragma once

#include "tsrun/report/report.h"

#include <string>
#include <vector>

namespace tsrun::report {

/// A table before its markup: columns, cells and section headings.
struct Cell {
  std::string text;
  bool leading = false;  ///< holds the best mean of its column
};

struct Section {
  std::string heading;  ///< empty for none
  std::vector<std::vector<Cell>> lines;
};

struct Grid {
  std::vector<std::string> columns;
  std::string alignment;  ///< 'l' or 'r' for every column, as in LaTeX
  std::vector<Section> sections;
};

Grid grid_of(const TableHead& head, const std::vector<VariantSummary>& rows);
Grid grid_of(const FreeTable& table);
std::string remarks_of(const FreeTable& table);  ///< its note, and what ± means where it has some

/// The markup of a grid alone: no title, no legend.
std::string grid_as_text(const Grid& grid);
std::string grid_as_markdown(const Grid& grid);
std::string grid_as_latex(const Grid& grid, const std::string& caption);  ///< booktabs; `caption` is escaped already

/// "3 seeds", "1 to 3 seeds"
std::string seeds_in_words(const std::vector<VariantSummary>& rows);

/// Legend of the columns, one paragraph.
std::string legend();

}  // namespace tsrun::report
