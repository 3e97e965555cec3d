#include "report/figure.h"
#include "tsrun/base/error.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tsrun::report {

namespace {

constexpr double left = 62, right = 14, gap = 50, title = 26, plot = 66, axis = 46, top = 4, width = 600;

/// A thinned series: the extremes of each block of positions. No outlier is lost.
struct Envelope {
  std::vector<double> x, low, high;
};

Envelope envelope_of(const Figure::Series& series, int64_t most) {
  Envelope out;
  const auto n = static_cast<int64_t>(series.y.size());
  const int64_t blocks = std::min(n, most);
  for (int64_t b = 0; b < blocks; ++b) {
    double low = 0, high = 0;
    const int64_t begin = n * b / blocks, end = n * (b + 1) / blocks;
    for (int64_t i = begin; i < end; ++i) {
      const double y = series.y[static_cast<size_t>(i)];
      if (std::isfinite(y)) low = std::min(low, y), high = std::max(high, y);
    }
    out.x.push_back(series.x.empty() ? static_cast<double>(begin) : series.x[static_cast<size_t>(begin)]);
    out.low.push_back(low);
    out.high.push_back(high);
  }
  return out;
}

/// A panel: its series, row and column.
struct Panel {
  size_t series = 0, row = 0, column = 0, colour = 0;
};

struct PanelGrid {
  std::vector<Panel> panels;
  size_t rows = 0, columns = 0;
};

PanelGrid grid_of(const Figure& figure) {
  PanelGrid grid;
  std::vector<std::string> names;
  for (size_t s = 0; s < figure.series.size(); ++s) {
    const auto& panel = figure.series[s].panel;
    auto found = panel.empty() ? names.end() : std::find(names.begin(), names.end(), panel);
    if (found == names.end()) found = names.insert(names.end(), panel);
    const auto row = static_cast<size_t>(found - names.begin());
    const auto column =
        static_cast<size_t>(std::count_if(grid.panels.begin(), grid.panels.end(), [&](const Panel& p) { return p.row == row; }));
    grid.panels.push_back({s, row, column, column});
    grid.columns = std::max(grid.columns, column + 1);
  }
  grid.rows = names.size();
  if (grid.columns == 1 && grid.rows > 3) {  // single panels: two abreast
    for (auto& panel : grid.panels) panel.column = panel.row % 2, panel.row /= 2;
    grid.rows = (grid.rows + 1) / 2;
    grid.columns = 2;
  }
  return grid;
}

double panel_width(const PanelGrid& grid) {
  return (width - left - right - gap * static_cast<double>(grid.columns - 1)) / static_cast<double>(grid.columns);
}

struct Range {
  double low = 0, high = 0;
};

/// Panels of one row share their range where they show the same thing.
Range range_of(const Figure& figure, const std::vector<Envelope>& envelopes, const Panel& panel) {
  Range range;
  for (size_t s = 0; s < figure.series.size(); ++s) {
    const bool together =
        s == panel.series || (!figure.series[s].panel.empty() && figure.series[s].panel == figure.series[panel.series].panel);
    for (size_t i = 0; together && i < envelopes[s].x.size(); ++i) {
      range.low = std::min(range.low, envelopes[s].low[i]), range.high = std::max(range.high, envelopes[s].high[i]);
    }
  }
  if (range.low == range.high) range.high = 1;
  return {range.low * 1.08, range.high * 1.08};
}

std::vector<double> thresholds_of(const Figure& figure, const Figure::Series& series) {
  std::vector<double> all = figure.horizontal_lines;
  all.insert(all.end(), series.horizontal_lines.begin(), series.horizontal_lines.end());
  return all;
}

std::string threshold_arrows(const std::vector<double>& lines, const Range& range) {
  std::string out = "unset arrow\n";
  for (double line : lines) {
    if (line < range.low || line > range.high) continue;
    out +=
        fmt::format("set arrow from graph 0, first {0} to graph 1, first {0} nohead front dt 2 lw 0.8 lc rgb '{1}'\n", line, light("ink"));
  }
  return out;
}

/// The envelope in a pale colour, values beyond the thresholds in full colour.
std::string plot_command(const Figure& figure, const Panel& panel, const std::vector<double>& lines) {
  const std::string_view colour = palette[panel.colour % series_colours].light;
  std::string out = fmt::format("plot '{}.dat' index {} using 1:2:3 with filledcurves fs solid 0.4 noborder lc rgb '{}' notitle",
                                figure.name, panel.series, colour);
  for (double line : lines) {
    const bool above = line >= 0;
    out +=
        fmt::format(", \\\n  '' index {0} using 1:({1}):({2}{3}{1} ? {2} : {1}) with filledcurves fs solid 1 noborder lc rgb '{4}' notitle",
                    panel.series, line, above ? "$3" : "$2", above ? ">" : "<", colour);
  }
  return out + "\n";
}

std::string panel_commands(const Figure& figure, const PanelGrid& grid, const Panel& panel, const std::vector<Envelope>& envelopes,
                           double height) {
  const auto& series = figure.series[panel.series];
  const Envelope& envelope = envelopes[panel.series];
  const double each = panel_width(grid);
  const double x = left + (each + gap) * static_cast<double>(panel.column),
               y = top + (title + plot) * static_cast<double>(panel.row) + title;
  const Range range = range_of(figure, envelopes, panel);
  const double last = envelope.x.empty() ? 1 : std::max(envelope.x.back(), envelope.x.front() + 1);
  const bool lowest = panel.row + 1 == grid.rows;
  const auto lines = thresholds_of(figure, series);
  const std::string name = series.panel.empty() || series.panel == series.name ? series.name : series.panel + "  " + series.name;
  std::string out = fmt::format(
      "set lmargin at screen {:.4f}\nset rmargin at screen {:.4f}\nset tmargin at screen {:.4f}\nset bmargin at screen {:.4f}\n", x / width,
      (x + each) / width, 1 - y / height, 1 - (y + plot) / height);
  out += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nset ytics {}\n", envelope.x.empty() ? 0 : envelope.x.front(), last, range.low,
                     range.high, tidy_step(range.high - range.low, 2.5));
  out += fmt::format("set xtics {}\nset format x '{}'\n", tidy_step(last, 4), lowest ? (last >= 10000 ? "%.0s%c" : "%g") : "");
  out += fmt::format("unset label\nset label {} at graph 0, graph 1 offset character 0,0.6 textcolor rgb '{}'\n", gnuplot_text(name),
                     light("ink"));
  if (lowest) out += below_axis(figure.x_label, x + each / 2, width, height);
  if (panel.series == grid.panels.front().series) {
    out += fmt::format("set label {} at screen 0.02,0.5 rotate by 90 center textcolor rgb '{}'\n", gnuplot_text(figure.y_label),
                       light("soft"));
  }
  return out + threshold_arrows(lines, range) + plot_command(figure, panel, lines);
}

}  // namespace

Script positions_script(const Figure& figure) {
  const PanelGrid grid = grid_of(figure);
  const auto blocks = static_cast<int64_t>(2 * panel_width(grid));  // finer than the eye: two a unit
  std::vector<Envelope> envelopes;
  Script script{"# position, lowest and highest value of its block (and 0)\n", "", width,
                top + (title + plot) * static_cast<double>(grid.rows) + axis};
  for (const auto& series : figure.series) {
    envelopes.push_back(envelope_of(series, blocks));
    const Envelope& envelope = envelopes.back();
    if (envelope.x.empty()) user_error("figure '{}', series '{}' has no values", figure.name, series.name);
    for (size_t i = 0; i < envelope.x.size(); ++i)
      script.data += fmt::format("{:.7g} {:.5g} {:.5g}\n", envelope.x[i], envelope.low[i], envelope.high[i]);
    script.data += "\n\n";
  }
  script.commands = preamble(figure, width, script.height) + "set border 3\nset multiplot\n";
  for (const auto& panel : grid.panels) script.commands += panel_commands(figure, grid, panel, envelopes, script.height);
  script.commands += "unset multiplot\n";
  return script;
}

}  // namespace tsrun::report
