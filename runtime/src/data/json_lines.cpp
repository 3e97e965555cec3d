#include "data/readers.h"
#include "tsrun/base/error.h"

#include <nlohmann/json.hpp>

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

void add_row(Table& table, const Json& object, int64_t number, const std::string& name) {
  if (table.columns.empty()) {
    for (const auto& item : object.items()) table.columns.push_back(item.key());
  }
  std::vector<std::string> row;
  row.reserve(table.columns.size());
  for (const std::string& column : table.columns) {
    const auto value = object.find(column);
    if (value == object.end()) data_error("{}:{}: found no column '{}', expected it as in the first row", name, number, column);
    row.push_back(cell(*value));
  }
  table.rows.push_back(std::move(row));
  table.lines.push_back(number);
}

}  // namespace

Table read_json_lines(std::string_view text, const std::string& name) {
  Table table;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    add_row(table, parse_line(line, number, name), number, name);
  }
  if (table.rows.empty()) data_error("{}:1: found only blank lines, expected one object a line", name);
  return table;
}

}  // namespace tsrun
