#include "data/lines.h"
#include "data/readers.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace tsrun::data {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kDeepest = 16;  ///< of nested values; deeper ones are refused to protect the stack

Json parse_line(std::string_view line, int64_t number, const std::string& name) {
  const auto shallow = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kDeepest) error_at(name, number, "found values nested deeper than {}, expected a flat object", kDeepest);
    return true;
  };
  try {
    Json object = Json::parse(line.begin(), line.end(), shallow);
    if (!object.is_object() || object.empty()) error_at(name, number, "found {}, expected an object with columns", object.type_name());
    return object;
  } catch (const Json::exception& error) {
    const std::string_view what = error.what();
    const size_t detail = what.find("] ");
    error_at(name, number, "found malformed JSON ({}), expected one object a line",
             clipped(what.substr(detail == what.npos ? 0 : detail + 2)));
  }
}

CellType type_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return CellType::text;
    case Json::value_t::null:
      return CellType::null;
    case Json::value_t::boolean:
      return CellType::boolean;
    case Json::value_t::array:
      return CellType::list;
    case Json::value_t::object:
      return CellType::object;
    default:
      return CellType::number;
  }
}

std::string cell(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "" : value.dump();
}

/// Whether entries are texts or numbers.
bool is_text_list(const Json& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const Json& entry) { return entry.is_string() || entry.is_number(); });
}

void add_cell(Cells& cells, size_t column, const Json& value) {
  auto& row = cells.table.rows.back();
  const std::pair<size_t, size_t> place{cells.table.rows.size() - 1, column};
  row[column] = cell(value);
  if (const CellType type = type_of(value); type != CellType::text) cells.types[place] = type;
  if (!is_text_list(value)) return;
  std::vector<std::string>& list = cells.lists[place];
  for (const Json& entry : value) list.push_back(cell(entry));
}

/// Columns by name; a new name becomes the last one.
size_t column_of(std::unordered_map<std::string, size_t>& columns, Table& table, const std::string& name) {
  const auto [found, added] = columns.emplace(name, table.columns.size());
  if (added) table.columns.push_back(name);
  return found->second;
}

/// Pads all rows to the length of the last, which has every column.
void fill_absent(Cells& cells) {
  for (size_t row = 0; row < cells.table.rows.size(); ++row) {
    auto& texts = cells.table.rows[row];
    for (size_t column = texts.size(); column < cells.table.columns.size(); ++column) cells.types[{row, column}] = CellType::absent;
    texts.resize(cells.table.columns.size());
  }
}

}  // namespace

Cells read_json_lines(std::string_view text, const std::string& name) {
  Cells cells;
  std::unordered_map<std::string, size_t> columns;
  each_line(text, name, [&](std::string_view line, int64_t number) {
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    const Json object = parse_line(line, number, name);
    Table& table = cells.table;
    table.lines.push_back(number);
    const size_t row = table.rows.size();
    table.rows.emplace_back(table.columns.size());
    for (size_t column = 0; column < table.columns.size(); ++column)
      if (!object.contains(table.columns[column])) cells.types[{row, column}] = CellType::absent;
    for (const auto& item : object.items()) {
      const size_t column = column_of(columns, table, item.key());
      if (column >= table.rows.back().size()) table.rows.back().resize(column + 1);
      add_cell(cells, column, item.value());
    }
  });
  if (cells.table.rows.empty()) error_at(name, 1, "found only blank lines, expected one object a line");
  fill_absent(cells);
  return cells;
}

}  // namespace tsrun::data
