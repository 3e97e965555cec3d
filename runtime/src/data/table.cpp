#include "data/readers.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/task.h"
#include "tsrun/text/utf8.h"

#include <algorithm>

namespace tsrun {
namespace {

void require_utf8(std::string_view text, const std::string& name) {
  const auto bad = find_invalid_utf8(text);
  if (!bad) return;
  const std::string_view before = text.substr(0, *bad);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t column = *bad - (before.rfind('\n') + 1) + 1;
  data_error("{}:{}: found byte 0x{:02x} at column {}, expected UTF-8", name, line, static_cast<unsigned char>(text[*bad]), column);
}

/// Turns the first row into column names, or numbers the columns from 1.
void name_columns(Table& table, bool header, const std::string& name) {
  if (!header) {
    for (size_t column = 1; column <= table.rows.front().size(); ++column) table.columns.push_back(std::to_string(column));
    return;
  }
  table.columns = std::move(table.rows.front());
  table.rows.erase(table.rows.begin());
  table.lines.erase(table.lines.begin());
  for (size_t column = 0; column < table.columns.size(); ++column) {
    const auto end = table.columns.begin() + static_cast<ptrdiff_t>(column);
    if (std::find(table.columns.begin(), end, *end) != end) {
      data_error("{}:1: found two columns named '{}', expected every column once", name, *end);
    }
  }
}

void require_widths(const Table& table, const std::string& name) {
  const size_t width = table.columns.size();
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const size_t found = table.rows[row].size();
    if (found == width) continue;
    data_error("{}:{}: found {} column{}, expected {} ({})", name, table.lines[row], found, found == 1 ? "" : "s", width,
               join_words(table.columns));
  }
}

}  // namespace

const std::vector<std::string>& table_types() {
  static const std::vector<std::string> types = {"tsv", "csv", "jsonl"};
  return types;
}

std::string_view checked_text(std::string_view text, std::string_view expected, const std::string& name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.find_first_not_of("\r\n") == std::string_view::npos) data_error("{}:1: found an empty file, expected {}", name, expected);
  require_utf8(text, name);
  return text;
}

Cells parse_cells(std::string_view text, const TableFormat& format, const std::string& name) {
  const auto& types = table_types();
  if (std::find(types.begin(), types.end(), format.type) == types.end()) {
    user_error("{}: table type is '{}', expected one of {}{}", name, format.type, join_words(types), did_you_mean(format.type, types));
  }
  text = checked_text(text, "rows", name);
  if (format.type == "jsonl") return read_json_lines(text, name);
  Table table = read_delimited(text, format.type == "tsv" ? '\t' : ',', format.quote, name);
  name_columns(table, format.header, name);
  require_widths(table, name);
  return {std::move(table), {}};
}

Table parse_table(std::string_view text, const TableFormat& format, const std::string& name) {
  return std::move(parse_cells(text, format, name).table);
}

}  // namespace tsrun
