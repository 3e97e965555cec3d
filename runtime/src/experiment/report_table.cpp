#include "experiment/report_table.h"

#include "experiment/report_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace tsrun {

namespace report {

namespace {

double highest(const std::vector<VariantSummary>& rows, double VariantSummary::*mean) {
  double found = -HUGE_VAL;
  for (const auto& row : rows) found = std::max(found, row.*mean);
  return found;
}

std::vector<std::vector<Cell>>& lines_of(Grid& grid, const std::string& heading) {
  auto found = std::find_if(grid.sections.begin(), grid.sections.end(), [&](const Section& section) { return section.heading == heading; });
  if (found == grid.sections.end()) found = grid.sections.insert(grid.sections.end(), {heading, {}});
  return found->lines;
}

}  // namespace

Grid grid_of(const TableHead& head, const std::vector<VariantSummary>& rows) {
  Grid grid;
  grid.columns = {"variant", "n", head.metric + " (last)", head.metric + " (best)", "commonest", "trainable", "dof", "shipped"};
  const double last = highest(rows, &VariantSummary::last_mean), best = highest(rows, &VariantSummary::best_mean);
  for (const auto& row : rows) {
    lines_of(grid, row.section)
        .push_back({{one_line(row.variant)},
                    {std::to_string(row.n)},
                    {mean_and_deviation(row.last_mean, row.last_deviation, row.n), row.last_mean == last},
                    {mean_and_deviation(row.best_mean, row.best_deviation, row.n), row.best_mean == best},
                    {percent(row.commonest_share)},
                    {count(row.trainable)},
                    {count(row.degrees_of_freedom)},
                    {bytes(row.bytes_shipped)}});
  }
  return grid;
}

std::string seeds_in_words(const std::vector<VariantSummary>& rows) {
  if (rows.empty()) return "no seeds";
  const auto [fewest, most] = std::minmax_element(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.n < b.n; });
  if (fewest->n == most->n) return most->n == 1 ? "1 seed" : fmt::format("{} seeds", most->n);
  return fmt::format("{} to {} seeds", fewest->n, most->n);
}

std::string legend() {
  return "Scores are mean ± sample deviation over n seeds, after the last epoch (last) and at the best checkpoint (best), which was chosen "
         "on this "
         "same split. commonest: share of the most frequent answer. trainable: numbers the optimiser owns. dof: the same, copies counted "
         "once. "
         "shipped: what somebody who has the origin must be sent.";
}

}  // namespace report

std::string table_as_text(const TableHead& head, const std::vector<VariantSummary>& rows) {
  using namespace report;
  const Grid grid = grid_of(head, rows);
  std::vector<size_t> widths;
  for (const auto& column : grid.columns) widths.push_back(display_width(column));
  for (const auto& section : grid.sections) {
    for (const auto& line : section.lines) {
      for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], display_width(line[i].text));
    }
  }
  std::string out = fmt::format("{}\nmodel {}   task {}   split {}   metric {}   {}   majority {}\n\n", head.title, head.model, head.task,
                                head.split, head.metric, seeds_in_words(rows), score(head.majority_score));
  const auto append = [&](const auto& cells, const auto& text_of) {
    for (size_t i = 0; i < cells.size(); ++i)
      out += i == 0 ? pad_right(text_of(cells[i]), widths[i]) : "   " + pad_left(text_of(cells[i]), widths[i]);
    out += '\n';
  };
  append(grid.columns, [](const std::string& name) { return name; });
  for (const auto& section : grid.sections) {
    if (!section.heading.empty()) out += fmt::format("\n{}\n", one_line(section.heading));
    for (const auto& line : section.lines) append(line, [](const Cell& cell) { return cell.text; });
  }
  return out;
}

std::string table_as_csv(const TableHead& head, const std::vector<VariantSummary>& rows) {
  using report::quote_csv;
  std::string out =
      "section,variant,model,task,split,metric,majority_score,n,last_mean,last_deviation,best_mean,best_deviation,commonest_share,"
      "trainable,"
      "degrees_of_freedom,bytes_shipped,last_by_seed,best_by_seed\n";
  for (const auto& row : rows) {
    const auto deviation = [&](double value) { return row.n < 2 ? std::string() : fmt::format("{}", value); };
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", quote_csv(row.section), quote_csv(row.variant),
                       quote_csv(head.model), quote_csv(head.task), quote_csv(head.split), quote_csv(head.metric), head.majority_score,
                       row.n, row.last_mean, deviation(row.last_deviation), row.best_mean, deviation(row.best_deviation),
                       row.commonest_share, row.trainable, row.degrees_of_freedom, row.bytes_shipped, fmt::join(row.last_by_seed, " "),
                       fmt::join(row.best_by_seed, " "));
  }
  return out;
}

std::string table_as_markdown(const TableHead& head, const std::vector<VariantSummary>& rows) {
  using namespace report;
  const Grid grid = grid_of(head, rows);
  std::string out = fmt::format("**{}**\n\nmodel {}, task {}, split {}, metric {}, {}, majority {}\n\n", escape_markdown(head.title),
                                escape_markdown(head.model), escape_markdown(head.task), escape_markdown(head.split),
                                escape_markdown(head.metric), seeds_in_words(rows), score(head.majority_score));
  std::string rule = "|";
  out += '|';
  for (size_t i = 0; i < grid.columns.size(); ++i) {
    out += fmt::format(" {} |", escape_markdown(grid.columns[i]));
    rule += i == 0 ? " :--- |" : " ---: |";
  }
  out += "\n" + rule + "\n";
  for (const auto& section : grid.sections) {
    if (!section.heading.empty())
      out += fmt::format("| *{}* |{}\n", escape_markdown(section.heading), [&] {
        std::string empty;
        for (size_t i = 1; i < grid.columns.size(); ++i) empty += " |";
        return empty;
      }());
    for (const auto& line : section.lines) {
      out += '|';
      for (const auto& cell : line)
        out += cell.leading ? fmt::format(" **{}** |", escape_markdown(cell.text)) : fmt::format(" {} |", escape_markdown(cell.text));
      out += '\n';
    }
  }
  return out;
}

std::string table_as_latex(const TableHead& head, const std::vector<VariantSummary>& rows) {
  using namespace report;
  const Grid grid = grid_of(head, rows);
  const auto append = [](std::string& out, const auto& cells, const auto& text_of) {
    for (size_t i = 0; i < cells.size(); ++i) out += (i == 0 ? "" : " & ") + text_of(cells[i]);
    out += " \\\\\n";
  };
  std::string out = fmt::format(
      "% \\usepackage{{booktabs}}\n\\begin{{table}}\n\\centering\n\\caption{{{}. Model {}, task {}, split {}, metric {}, {}, majority "
      "{}.}}\n"
      "\\begin{{tabular}}{{l{}}}\n\\toprule\n",
      escape_latex(head.title), escape_latex(head.model), escape_latex(head.task), escape_latex(head.split), escape_latex(head.metric),
      seeds_in_words(rows), score(head.majority_score), std::string(grid.columns.size() - 1, 'r'));
  append(out, grid.columns, [](const std::string& name) { return escape_latex(name); });
  for (const auto& section : grid.sections) {
    out += "\\midrule\n";
    if (!section.heading.empty())
      out += fmt::format("\\multicolumn{{{}}}{{l}}{{\\emph{{{}}}}} \\\\\n", grid.columns.size(), escape_latex(section.heading));
    for (const auto& line : section.lines) {
      append(out, line, [](const Cell& cell) {
        return cell.leading ? fmt::format("\\textbf{{{}}}", escape_latex(cell.text)) : escape_latex(cell.text);
      });
    }
  }
  return out + "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
}

}  // namespace tsrun
