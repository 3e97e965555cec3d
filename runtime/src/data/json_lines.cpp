#include "data/lines.h"
#include "data/readers.h"
#include "tsrun/base/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace tsrun {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kDeepest = 16;  ///< of nested values; deeper ones are taken for an attack on the stack

Json parse_line(std::string_view line, int64_t number, const std::string& name) {
  const auto shallow = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kDeepest) data_error("{}:{}: found values nested deeper than {}, expected a flat object", name, number, kDeepest);
    return true;
  };
  try {
    Json object = Json::parse(line.begin(), line.end(), shallow);
    if (!object.is_object() || object.empty())
      data_error("{}:{}: found {}, expected an object with columns", name, number, object.type_name());
    return object;
  } catch (const Json::exception& error) {
    const std::string_view what = error.what();
    const size_t detail = what.find("] ");
    data_error("{}:{}: found malformed JSON ({}), expected one object a line", name, number,
               what.substr(detail == what.npos ? 0 : detail + 2));
  }
}

std::string cell(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "" : value.dump();
}

bool is_flat_list(const Json& value) {
  return value.is_array() && std::none_of(value.begin(), value.end(), [](const Json& entry) { return entry.is_structured(); });
}

void add_row(Cells& cells, const Json& object, int64_t number, const std::string& name) {
  Table& table = cells.table;
  if (table.columns.empty()) {
    for (const auto& item : object.items()) table.columns.push_back(item.key());
  }
  std::vector<std::string> row;
  row.reserve(table.columns.size());
  for (const std::string& column : table.columns) {
    const auto value = object.find(column);
    if (value == object.end()) data_error("{}:{}: found no column '{}', expected it as in the first row", name, number, column);
    if (is_flat_list(*value)) {
      std::vector<std::string>& list = cells.lists[{table.rows.size(), row.size()}];
      for (const Json& entry : *value) list.push_back(cell(entry));
    }
    row.push_back(cell(*value));
  }
  table.rows.push_back(std::move(row));
  table.lines.push_back(number);
}

}  // namespace

Cells read_json_lines(std::string_view text, const std::string& name) {
  Cells cells;
  each_line(text, [&](std::string_view line, int64_t number) {
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) add_row(cells, parse_line(line, number, name), number, name);
  });
  if (cells.table.rows.empty()) data_error("{}:1: found only blank lines, expected one object a line", name);
  return cells;
}

}  // namespace tsrun
