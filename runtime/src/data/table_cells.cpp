#include "data/table_cells.h"

#include "data/place_error.h"

namespace tsrun::data {
namespace {

std::string_view name_of(CellType type) {
  switch (type) {
    case CellType::text:
      return "a text";
    case CellType::number:
      return "a number";
    case CellType::boolean:
      return "a truth value";
    case CellType::list:
      return "a list";
    case CellType::object:
      return "an object";
    case CellType::null:
      return "null";
    case CellType::absent:
      return "no value";
  }
  internal_error("{} is no type of a cell", static_cast<int>(type));
}

bool is_missing(CellType type) { return type == CellType::null || type == CellType::absent; }

}  // namespace

CellType TableCells::type(size_t row, size_t column) const {
  const auto found = cells_.types.find({row, column});
  return found == cells_.types.end() ? CellType::text : found->second;
}

void TableCells::wrong(size_t row, size_t column, std::string_view expected) const {
  error_at(name_, line(row), "found {} in '{}', expected {}", name_of(type(row, column)), cells_.table.columns[column], expected);
}

std::string& TableCells::text(size_t row, size_t column) {
  std::string& cell = cells_.table.rows[row][column];
  const CellType found = type(row, column);
  if (found == CellType::text || found == CellType::number) return cell;
  if (!is_missing(found)) wrong(row, column, "a text");
  if (!missing_) wrong(row, column, "a text (or [format] missing = \"…\" in task.toml, which says what stands for it)");
  return cell = *missing_;
}

const std::string& TableCells::label(size_t row, size_t column) const {
  const CellType found = type(row, column);
  if (found != CellType::text && found != CellType::number && found != CellType::boolean) wrong(row, column, "a label");
  return cells_.table.rows[row][column];
}

const std::vector<std::string>* TableCells::list(size_t row, size_t column) const {
  const auto found = cells_.lists.find({row, column});
  if (found != cells_.lists.end()) return &found->second;
  if (type(row, column) == CellType::list)
    error_at(name_, line(row), "found a list in '{}' with an entry that is no text, expected texts", cells_.table.columns[column]);
  return nullptr;
}

}  // namespace tsrun::data
