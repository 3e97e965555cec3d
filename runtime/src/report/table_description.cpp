#include "tsrun/report/table_description.h"

#include "tsrun/base/error.h"
#include "tsrun/base/options.h"
#include "tsrun/base/suggest.h"

#include <cmath>
#include <numeric>

namespace tsrun {

namespace {

using nlohmann::json;
using Entry = FreeTable::Entry;

constexpr int most_digits = 9;

OptionTable table_options() {
  return {
      {.name = "name", .type = OptionType::text, .doc = "file stem", .required = true},
      {.name = "caption", .type = OptionType::text, .fallback = "", .doc = "sentence above the table"},
      {.name = "columns", .type = OptionType::list, .doc = "names of the columns", .required = true},
      {.name = "rows", .type = OptionType::list, .fallback = json::array(), .doc = "lists of cells"},
      {.name = "digits", .type = OptionType::list, .fallback = json::array({1}), .doc = "decimals: one number, or one a column"},
      {.name = "note", .type = OptionType::text, .fallback = "", .doc = "sentence below the table"},
  };
}

/// {mean, std, n}; NaN is let through, for a score that is none must not end a long recipe.
Entry spread_from(const json& cell, const std::string& where) {
  Entry entry{.kind = Entry::Kind::spread, .words = {}, .value = std::nan(""), .deviation = std::nan("")};
  for (const auto& [name, value] : cell.items()) {
    if (!value.is_number()) user_error("{}: '{}' is {}, expected a number", where, name, value.dump());
    if (name == "mean") {
      entry.value = value.get<double>();
    } else if (name == "std") {
      entry.deviation = value.get<double>();
    } else if (name == "n") {
      entry.n = value.get<int64_t>();
    } else {
      user_error("{}: unknown '{}'{}, expected mean, std and n", where, name,
                 did_you_mean(name, std::vector<std::string>{"mean", "std", "n"}));
    }
  }
  return entry;
}

Entry list_of_values(const json& cell, const std::string& where) {
  std::vector<double> values;
  for (const auto& value : cell) {
    if (!value.is_number()) user_error("{}: found {} in a list, expected numbers only", where, value.dump());
    values.push_back(value.get<double>());
  }
  return values.empty() ? Entry{} : spread_of(values);
}

Entry entry_of(const json& cell, const std::string& where) {
  if (cell.is_null() || cell == false || (cell.is_object() && cell.empty())) return {};
  if (cell.is_string()) return {.kind = Entry::Kind::words, .words = cell.get<std::string>()};
  if (cell.is_number_integer()) return {.kind = Entry::Kind::whole, .words = {}, .value = cell.get<double>()};
  if (cell.is_number()) return {.kind = Entry::Kind::number, .words = {}, .value = cell.get<double>()};
  if (cell.is_array()) return list_of_values(cell, where);
  if (cell.is_object() && !cell.contains("artifact")) return spread_from(cell, where);
  user_error("{}: expected a text, a number, a list of numbers, {{mean, std}} or nothing, found {}", where,
             cell.is_object() ? "an artifact" : cell.dump());
}

std::vector<Entry> row_of_table(const json& row, const FreeTable& table, const std::string& where) {
  if (!row.is_array() && !row.empty()) user_error("{}: expected a list of cells, found {}", where, row.dump());
  if (row.size() > table.columns.size()) user_error("{}: {} cells, but the table has {} columns", where, row.size(), table.columns.size());
  std::vector<Entry> entries(table.columns.size());
  for (size_t i = 0; i < row.size(); ++i) entries[i] = entry_of(row[i], fmt::format("{}, column '{}'", where, table.columns[i]));
  return entries;
}

std::vector<int> digits_of(const json& given, size_t columns, const std::string& where) {
  std::vector<int> digits;
  for (const auto& value : given) {
    if (!value.is_number_integer() || value < 0 || value > most_digits)
      user_error("{}: option 'digits' has {}, expected integers from 0 to {}", where, value.dump(), most_digits);
    digits.push_back(value.get<int>());
  }
  if (digits.size() == 1) digits.resize(columns, digits.front());
  if (digits.size() != columns)
    user_error("{}: option 'digits' has {} numbers, expected one, or {} for the columns", where, digits.size(), columns);
  return digits;
}

}  // namespace

FreeTable::Entry spread_of(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {.kind = Entry::Kind::spread,
          .words = {},
          .value = mean,
          .deviation = values.size() < 2 ? 0 : std::sqrt(squares / (n - 1)),
          .n = static_cast<int64_t>(values.size())};
}

FreeTable free_table_of(const json& description) {
  const Options o = table_options().resolve(description, "report: table");
  FreeTable table;
  table.name = o.text("name");
  table.caption = o.text("caption");
  table.note = o.text("note");
  const std::string where = fmt::format("report: table '{}'", table.caption.empty() ? table.name : table.caption);
  table.columns = o.texts("columns");
  if (table.columns.empty()) user_error("{}: no columns, expected their names", where);
  table.digits = digits_of(o.value("digits"), table.columns.size(), where);
  for (const auto& row : o.value("rows"))
    table.rows.push_back(row_of_table(row, table, fmt::format("{}: row {}", where, table.rows.size() + 1)));
  return table;
}

}  // namespace tsrun
