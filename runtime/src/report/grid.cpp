#include "report/grid.h"
#include "tsrun/base/printable.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

/// A grid in the markup of each format.
namespace tsrun::report {

namespace {

std::vector<size_t> widths_of(const Grid& grid) {
  std::vector<size_t> widths;
  for (const auto& column : grid.columns) widths.push_back(display_width(column));
  for (const auto& section : grid.sections) {
    for (const auto& line : section.lines) {
      for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], display_width(line[i].text));
    }
  }
  return widths;
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string joined_cells(const std::vector<std::string>& cells, std::string_view before, std::string_view between, std::string_view after) {
  return fmt::format("{}{}{}", before, fmt::join(cells, between), after);
}

/// Every cell as `spell` has it.
template <class Spell>
std::vector<std::string> spelt(const std::vector<Cell>& line, const Spell& spell) {
  std::vector<std::string> cells;
  for (const auto& cell : line) cells.push_back(spell(cell));
  return cells;
}

/// Texts of a grid as a line of a terminal takes them.
Grid printable_grid(Grid grid) {
  for (auto& column : grid.columns) column = printable(column, "");
  for (auto& section : grid.sections) {
    section.heading = printable(section.heading, "");
    for (auto& line : section.lines)
      for (auto& cell : line) cell.text = printable(cell.text, "");
  }
  return grid;
}

}  // namespace

std::string grid_as_text(const Grid& given) {
  const Grid grid = printable_grid(given);
  const std::vector<size_t> widths = widths_of(grid);
  const auto aligned = [&](std::vector<std::string> cells) {
    for (size_t i = 0; i < cells.size(); ++i)
      cells[i] = grid.alignment[i] == 'l' ? pad_right(cells[i], widths[i]) : pad_left(cells[i], widths[i]);
    return without_trailing_blanks(joined_cells(cells, "", "   ", "")) + '\n';
  };
  std::string out = aligned(grid.columns);
  for (const auto& section : grid.sections) {
    if (!section.heading.empty()) out += fmt::format("\n{}\n", one_line(section.heading));
    for (const auto& line : section.lines) out += aligned(spelt(line, [](const Cell& cell) { return cell.text; }));
  }
  return out;
}

std::string grid_as_markdown(const Grid& grid) {
  std::vector<std::string> names, rules, blank(grid.columns.size());
  for (size_t i = 0; i < grid.columns.size(); ++i) {
    names.push_back(escape_markdown(grid.columns[i]));
    rules.emplace_back(grid.alignment[i] == 'l' ? ":---" : "---:");
  }
  const auto line_of = [](const std::vector<std::string>& cells) { return joined_cells(cells, "| ", " | ", " |\n"); };
  std::string out = line_of(names) + line_of(rules);
  for (const auto& section : grid.sections) {
    if (!section.heading.empty()) blank[0] = fmt::format("*{}*", escape_markdown(section.heading)), out += line_of(blank);
    for (const auto& line : section.lines) {
      out += line_of(spelt(line, [](const Cell& cell) {
        const std::string text = escape_markdown(cell.text);
        return cell.leading ? fmt::format("**{}**", text) : text;
      }));
    }
  }
  return out;
}

std::string grid_as_latex(const Grid& grid, const std::string& caption) {
  std::vector<std::string> names;
  for (const auto& name : grid.columns) names.push_back(escape_latex(name));
  const auto line_of = [](const std::vector<std::string>& cells) { return joined_cells(cells, "", " & ", " \\\\\n"); };
  std::string out =
      fmt::format("% \\usepackage{{booktabs}}\n\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\begin{{tabular}}{{{}}}\n\\toprule\n{}",
                  caption, grid.alignment, line_of(names));
  for (const auto& section : grid.sections) {
    out += "\\midrule\n";
    if (!section.heading.empty())
      out += fmt::format("\\multicolumn{{{}}}{{l}}{{\\emph{{{}}}}} \\\\\n", grid.columns.size(), escape_latex(section.heading));
    for (const auto& line : section.lines) {
      out += line_of(spelt(line, [](const Cell& cell) {
        return cell.leading ? fmt::format("\\textbf{{{}}}", escape_latex(cell.text)) : escape_latex(cell.text);
      }));
    }
  }
  return out + "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
}

}  // namespace tsrun::report
