#include "report/figure.h"
#include "tsrun/base/error.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tsrun::report {

namespace {

using HeatMap = Figure::HeatMap;

constexpr double edge = 14, cell_height = 30, narrowest_cell = 58, widest_cell = 110, above_cells = 50, below_cells = 36;

/// Smallest and largest value. @throws Error(user) when there is none
std::pair<double, double> range_of(const Figure& figure) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const auto& row : figure.heat_map.values) {
    for (const double value : row) {
      if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
    }
  }
  if (low > high) user_error("figure '{}' has no finite value", figure.name);
  return low == high ? std::pair(low - 0.5, high + 0.5) : std::pair(low, high);
}

/// Names of rows on the left, of columns above.
struct HeatMapPlan {
  double left, cell, width, height;
  explicit HeatMapPlan(const HeatMap& map) {
    left = widest(map.rows) + 3 * edge;
    cell = std::clamp(widest(map.columns) + 12, narrowest_cell, widest_cell);
    width = std::max(600.0, left + cell * static_cast<double>(map.columns.size()) + edge);
    height = above_cells + cell_height * static_cast<double>(map.rows.size()) + below_cells;
  }
  std::string margins(size_t columns) const {
    return fmt::format(
        "set lmargin at screen {:.4f}\nset rmargin at screen {:.4f}\nset tmargin at screen {:.4f}\nset bmargin at screen {:.4f}\n",
        left / width, (left + cell * static_cast<double>(columns)) / width, 1 - above_cells / height, below_cells / height);
  }
};

std::string names_of_axis(const std::vector<std::string>& names, std::string_view axis) {
  std::string tics;
  for (size_t i = 0; i < names.size(); ++i) tics += fmt::format("{}{} {}", i == 0 ? "" : ", ", gnuplot_text(names[i]), i);
  return fmt::format("set {}tics scale 0 ({})\n", axis, tics);
}

/// The number of a cell, in the colour that can be read on it.
std::string number_on(double value, double share, size_t column, size_t row, int digits) {
  return fmt::format("set label '{:.{}f}' at first {},{} center front textcolor rgb '{}'\n", value, digits, column, row,
                     share > 0.55 ? on_light : on_dark);
}

}  // namespace

Script heat_map_script(const Figure& figure) {
  const HeatMap& map = figure.heat_map;
  const HeatMapPlan plan(map);
  const auto [low, high] = range_of(figure);
  Script script{"# column, row, value\n", "", plan.width, plan.height};
  script.commands = preamble(figure, plan.width, plan.height) + std::string(heat_colours) + plan.margins(map.columns.size());
  script.commands += fmt::format("set cbrange [{}:{}]\nset border 0\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\nunset xtics\n", low, high,
                                 static_cast<double>(map.columns.size()) - 0.5, static_cast<double>(map.rows.size()) - 0.5);
  script.commands += names_of_axis(map.columns, "x2") + names_of_axis(map.rows, "y");
  for (size_t row = 0; row < map.rows.size(); ++row) {
    for (size_t column = 0; column < map.columns.size(); ++column) {
      const double value = map.values[row][column];
      if (!std::isfinite(value)) continue;
      script.data += fmt::format("{} {} {}\n", column, row, value);
      script.commands += number_on(value, (value - low) / (high - low), column, row, map.digits);
    }
  }
  const double middle = plan.left + plan.cell * static_cast<double>(map.columns.size()) / 2;
  script.commands += below_axis(figure.x_label, middle, plan.width, plan.height);
  script.commands +=
      fmt::format("set label {} at screen {:.4f},{:.4f} rotate by 90 center textcolor rgb '{}'\n", gnuplot_text(figure.y_label),
                  edge / plan.width, 1 - (above_cells + (plan.height - above_cells - below_cells) / 2) / plan.height, light("soft"));
  script.commands +=
      fmt::format("set x2range [-0.5:{}]\nset x2tics textcolor rgb '{}'\n", static_cast<double>(map.columns.size()) - 0.5, light("soft"));
  script.commands += fmt::format(
      "plot '{}.dat' using 1:2:($1-0.49):($1+0.49):($2-0.47):($2+0.47):3 with boxxyerror fs solid 1 noborder lc palette notitle\n",
      figure.name);
  return script;
}

}  // namespace tsrun::report
