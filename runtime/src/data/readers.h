#pragma once

#include "tsrun/data/task.h"

#include <string>
#include <string_view>
#include <vector>

/// Readers of the table types. `text` is UTF-8, without a byte order mark, and holds more than line ends.
namespace tsrun {

const std::vector<std::string>& table_types();

/// All lines as rows, the header too; `columns` is left empty. A line ends with LF or CRLF; line ends at the end of the file are not rows.
/// With `quote` a field may stand in double quotes as in RFC 4180: it may hold delimiters and line ends, and "" stands for a quote.
Table read_delimited(std::string_view text, char delimiter, const std::string& quote, const std::string& name);

/// One object a line; the first one names the columns, which every later one must have. Blank lines are skipped. Texts stay as they are,
/// null is an empty text, other values are taken as JSON writes them.
Table read_json_lines(std::string_view text, const std::string& name);

}  // namespace tsrun
