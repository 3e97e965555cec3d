#pragma once

#include "data/readers.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::data {

/// The cells of a table as texts, labels and lists. A cell of another type is an error with file and line.
class TableCells {
 public:
  /// `missing` replaces texts that are null or absent; without it they are errors. All references outlive this.
  TableCells(Cells& cells, const std::optional<std::string>& missing, const std::string& name)
      : cells_(cells), missing_(missing), name_(name) {}

  int64_t line(size_t row) const { return cells_.table.lines[row]; }
  const std::string& column(size_t number) const { return cells_.table.columns[number]; }
  CellType type(size_t row, size_t column) const;

  /// A cell as text; numbers as they are written.
  std::string& text(size_t row, size_t column);
  /// A cell as class, option, answer or value: a text, a number or a truth value.
  const std::string& label(size_t row, size_t column) const;
  /// Texts of a JSONL list; null where the cell is no list.
  const std::vector<std::string>* list(size_t row, size_t column) const;

  [[noreturn]] void wrong(size_t row, size_t column, std::string_view expected) const;

 private:
  Cells& cells_;
  const std::optional<std::string>& missing_;
  const std::string& name_;
};

}  // namespace tsrun::data
