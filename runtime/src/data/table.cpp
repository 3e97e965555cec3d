#include "data/place_error.h"
#include "data/readers.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/task.h"
#include "tsrun/text/utf8.h"

#include <algorithm>

namespace tsrun {
namespace data {
namespace {

/// With or without a byte order mark; without one, of a text that begins in ASCII.
bool is_utf16(std::string_view text) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) return true;
  return text.size() > 1 && (text[0] == '\0') != (text[1] == '\0');
}

void require_utf8(std::string_view text, const std::string& name) {
  if (is_utf16(text)) error_at(name, 1, "found UTF-16, expected UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)");
  const auto bad = find_invalid_utf8(text);
  if (!bad) return;
  const std::string_view before = text.substr(0, *bad);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t column = *bad - (before.rfind('\n') + 1) + 1;
  error_at(name, line, "found byte 0x{:02x} at column {}, expected UTF-8", static_cast<unsigned char>(text[*bad]), column);
}

/// Numbers from 1.
std::vector<std::string> numbered(size_t count) {
  std::vector<std::string> names;
  for (size_t column = 1; column <= count; ++column) names.push_back(std::to_string(column));
  return names;
}

/// Turns the first row into column names, or numbers the columns from 1.
void name_columns(Table& table, bool header, size_t least_columns, const std::string& name) {
  if (!header) {
    table.columns = numbered(least_columns > 0 ? least_columns : table.rows.front().size());
    return;
  }
  table.columns = std::move(table.rows.front());
  table.rows.erase(table.rows.begin());
  table.lines.erase(table.lines.begin());
  for (size_t column = 0; column < table.columns.size(); ++column) {
    const auto end = table.columns.begin() + static_cast<ptrdiff_t>(column);
    if (!end->empty() && std::find(table.columns.begin(), end, *end) != end)
      error_at(name, 1, "found two columns named '{}', expected every column once", *end);
  }
}

/// Drops what stands behind the named columns (further annotators, sources), and says so.
void fit_widths(Table& table, bool header, const std::string& name) {
  const size_t width = table.columns.size();
  int64_t longer = 0, first = 0;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const size_t found = table.rows[row].size();
    if (found < width) {
      error_at(name, table.lines[row], "found {} column{}, expected {} ({})", found, found == 1 ? "" : "s", width,
               join_words(table.columns));
    }
    if (found > width && longer++ == 0) first = table.lines[row];
    table.rows[row].resize(width);
  }
  if (!header || longer == 0) return;
  log_warning("{}:{}: found more columns than the header names ({}) in {} row{}; the cells behind them are dropped", printable(name, ""),
              first, width, longer, longer == 1 ? "" : "s");
}

}  // namespace

const std::vector<std::string>& table_types() {
  static const std::vector<std::string> types = {"tsv", "csv", "jsonl"};
  return types;
}

std::string_view checked_text(std::string_view text, std::string_view expected, const std::string& name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.find_first_not_of("\r\n") == std::string_view::npos) error_at(name, 1, "found an empty file, expected {}", expected);
  require_utf8(text, name);
  return text;
}

Cells parse_cells(std::string_view text, const TableFormat& format, const std::string& name, size_t least_columns) {
  const auto& types = table_types();
  if (std::find(types.begin(), types.end(), format.type) == types.end()) {
    user_error("{}: table type is '{}', expected one of {}{}", name, format.type, join_words(types), did_you_mean(format.type, types));
  }
  text = checked_text(text, "rows", name);
  if (format.type == "jsonl") return read_json_lines(text, name);
  Table table = read_delimited(text, format.type == "tsv" ? '\t' : ',', format.quote, name);
  name_columns(table, format.header, least_columns, name);
  fit_widths(table, format.header, name);
  return {std::move(table), {}};
}

}  // namespace data

Table parse_table(std::string_view text, const TableFormat& format, const std::string& name) {
  return std::move(data::parse_cells(text, format, name).table);
}

}  // namespace tsrun
