#include "report/grid.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace tsrun {

namespace {

using Entry = FreeTable::Entry;
using EntryKind = FreeTable::Entry::Kind;

bool is_number(const Entry& entry) { return entry.kind != EntryKind::empty && entry.kind != EntryKind::words; }

/// Whether a column holds nothing but what `accepts` takes; empty cells count for nothing.
template <class Accepts>
bool holds_only(const FreeTable& table, size_t column, const Accepts& accepts) {
  return std::all_of(table.rows.begin(), table.rows.end(),
                     [&](const auto& row) { return row[column].kind == EntryKind::empty || accepts(row[column]); });
}

std::set<int64_t> counts_of(const FreeTable& table) {
  std::set<int64_t> counts;
  for (const auto& row : table.rows) {
    for (const auto& entry : row) {
      if (entry.kind == EntryKind::spread) counts.insert(entry.n);
    }
  }
  return counts;
}

std::string decimal(double value, int digits) { return std::isnan(value) ? "–" : fmt::format("{:.{}f}", value, digits); }

/// How spreads are written; where every cell has one value alone, there is none to write.
struct SpreadStyle {
  bool deviation, n;
};

SpreadStyle spread_style(const FreeTable& table) {
  const auto counts = counts_of(table);
  return {.deviation = counts != std::set<int64_t>{1}, .n = counts.size() > 1};
}

std::string spread(const Entry& entry, int digits, SpreadStyle style) {
  if (!style.deviation) return decimal(entry.value, digits);
  const std::string deviation = entry.n == 1 ? "–" : decimal(entry.deviation, digits);
  return fmt::format("{} ± {}{}", decimal(entry.value, digits), deviation, style.n && entry.n > 0 ? fmt::format(" ({})", entry.n) : "");
}

std::string cell_text(const Entry& entry, int digits, bool whole, SpreadStyle style) {
  switch (entry.kind) {
    case EntryKind::empty:
      return {};
    case EntryKind::words:
      return report::one_line(entry.words);
    case EntryKind::whole:
    case EntryKind::number:
      return whole ? report::count(static_cast<int64_t>(entry.value)) : decimal(entry.value, digits);
    case EntryKind::spread:
      return spread(entry, digits, style);
  }
  return {};
}

std::string csv_number(double value) { return std::isnan(value) ? std::string() : fmt::format("{}", value); }

std::string csv_value(const Entry& entry) {
  if (entry.kind == EntryKind::empty) return {};
  if (entry.kind == EntryKind::words) return report::quote_csv(entry.words);
  if (entry.kind == EntryKind::whole) return fmt::format("{}", static_cast<int64_t>(entry.value));
  return csv_number(entry.value);
}

}  // namespace

namespace report {

Grid grid_of(const FreeTable& table) {
  Grid grid;
  grid.columns = table.columns;
  for (auto& name : grid.columns) name = one_line(name);
  const SpreadStyle style = spread_style(table);
  std::vector<std::vector<Cell>> lines(table.rows.size());
  for (size_t column = 0; column < table.columns.size(); ++column) {
    const bool whole = holds_only(table, column, [](const Entry& e) { return e.kind == EntryKind::whole || e.kind == EntryKind::words; });
    const bool words = holds_only(table, column, [](const Entry& e) { return e.kind == EntryKind::words; });
    grid.alignment += words ? 'l' : 'r';
    for (size_t i = 0; i < table.rows.size(); ++i)
      lines[i].push_back({cell_text(table.rows[i][column], table.digits[column], whole, style)});
  }
  grid.sections.push_back({"", std::move(lines)});
  return grid;
}

std::string remarks_of(const FreeTable& table) {
  const auto counts = counts_of(table);
  std::string out = table.note;
  const auto add = [&](const std::string& sentence) { out += (out.empty() ? "" : " ") + sentence; };
  if (counts.size() > 1) {
    add("Mean ± sample deviation, with the number of values in brackets.");
  } else if (counts == std::set<int64_t>{1}) {
    add("Of one seed: the spread is not known.");
  } else if (counts.size() == 1 && *counts.begin() > 0) {
    add(fmt::format("Mean ± sample deviation over {} values.", *counts.begin()));
  }
  return out;
}

}  // namespace report

std::string table_as_text(const FreeTable& table) {
  const std::string remarks = report::remarks_of(table);
  return fmt::format("{}\n\n{}{}", table.caption, report::grid_as_text(report::grid_of(table)),
                     remarks.empty() ? "" : "\n" + remarks + "\n");
}

std::string table_as_csv(const FreeTable& table) {
  std::string out;
  const auto append = [&](const std::string& text, bool first) { out += (first ? "" : ",") + text; };
  std::vector<char> spreads;
  for (size_t column = 0; column < table.columns.size(); ++column) {
    const auto& name = table.columns[column];
    spreads.push_back(holds_only(table, column, [](const Entry& e) { return e.kind != EntryKind::spread; }) ? 0 : 1);
    append(report::quote_csv(name), column == 0);
    if (spreads.back() != 0) append(report::quote_csv(name + " deviation"), false), append(report::quote_csv(name + " n"), false);
  }
  out += '\n';
  for (const auto& row : table.rows) {
    for (size_t column = 0; column < row.size(); ++column) {
      const Entry& entry = row[column];
      const bool known = entry.kind == EntryKind::spread;
      append(csv_value(entry), column == 0);
      if (spreads[column] == 0) continue;
      append(known && entry.n != 1 ? csv_number(entry.deviation) : "", false);
      append(known && entry.n > 0 ? std::to_string(entry.n) : is_number(entry) && !known ? "1" : "", false);
    }
    out += '\n';
  }
  return out;
}

std::string table_as_markdown(const FreeTable& table) {
  const std::string remarks = report::remarks_of(table);
  return fmt::format("**{}**\n\n{}{}", report::escape_markdown(table.caption), report::grid_as_markdown(report::grid_of(table)),
                     remarks.empty() ? "" : fmt::format("\n{}\n", report::escape_markdown(remarks)));
}

std::string table_as_latex(const FreeTable& table) {
  const std::string stop = table.caption.ends_with('.') ? "" : ".", remarks = report::remarks_of(table);
  return report::grid_as_latex(report::grid_of(table), report::escape_latex(table.caption + stop + (remarks.empty() ? "" : " " + remarks)));
}

}  // namespace tsrun
