#pragma once

#include "tsrun/data/task.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Readers of the file types. `text` is UTF-8, without a byte order mark, and holds more than line ends.
namespace tsrun::data {

const std::vector<std::string>& table_types();

/// Row and column of a cell, from 0.
using CellPlace = std::pair<size_t, size_t>;
/// Cells of a JSONL table that are lists of texts or numbers; the table has their JSON text.
using ListCells = std::map<CellPlace, std::vector<std::string>>;
/// Type of a JSONL cell. The cells of other tables are texts.
enum class CellType { text, number, boolean, list, object, null, absent };
struct Cells {
  Table table;
  ListCells lists;
  std::map<CellPlace, CellType> types = {};  ///< of all cells other than texts
};

/// As `parse_table`, with the lists. Cells behind the named columns are dropped; without a header a row must have `least_columns` and keeps
/// as many (0: as many as the first row).
Cells parse_cells(std::string_view text, const TableFormat& format, const std::string& name, size_t least_columns = 0);

/// `text` without a byte order mark. @throws Error(data) unless it is UTF-8 and holds more than line ends (message: expected `expected`).
std::string_view checked_text(std::string_view text, std::string_view expected, const std::string& name);

/// All lines as rows, the header too; `columns` is left empty. A line ends with LF or CRLF; line ends at the end of the file are not rows.
/// With `quote` a field may stand in double quotes as in RFC 4180: it may hold delimiters and line ends, and "" stands for a quote. A quote
/// within a field that none opened is a character like others.
Table read_delimited(std::string_view text, char delimiter, const std::string& quote, const std::string& name);

/// One object a line; columns are the names of all, in the order in which they come. Blank lines are skipped. Texts stay as they are, null
/// and what an object lacks are empty texts of that type, other values are taken as JSON writes them.
Cells read_json_lines(std::string_view text, const std::string& name);

/// CrossFit's lines: input TAB answer (TAB more accepted answers), without header, quotes or escapes. White space at both ends of a line is
/// not part of it; blank lines are skipped.
std::vector<Example> read_crossfit(std::string_view text, const std::string& name);

/// CoNLL: one word a line, its tag in the last of the columns (blanks or tabs between them), a blank line between sentences; lines that
/// begin with "-DOCSTART-" are skipped. `labels` are the tags, in order.
std::vector<Example> read_conll(std::string_view text, const std::vector<std::string>& labels, const std::string& name);

/// Documents of a text file; those of white space alone are left out. `cut` is file, line, blank_line or separator; one line end on either
/// side of a separator belongs to it.
std::vector<Example> read_documents(std::string_view text, std::string_view cut, std::string_view separator, const std::string& name);

}  // namespace tsrun::data
