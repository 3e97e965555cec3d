#include "report/figure.h"
#include "tsrun/base/error.h"
#include "tsrun/report/table_description.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tsrun::report {

namespace {

constexpr double scatter_width = 600, scatter_left = 62, scatter_right = 18, scatter_top = 14, scatter_below = 46;

/// Room for the names of many points, whose lines stand one above the other where points do.
double height_for(size_t points) { return 300 + 14 * std::clamp(static_cast<double>(points) - 8, 0.0, 20.0); }

/// A series as one point.
struct Point {
  std::string name;
  double x = 0, y = 0, x_deviation = 0, y_deviation = 0;
};

std::vector<Point> points_of(const Figure& figure) {
  std::vector<Point> points;
  for (const auto& series : figure.series) {
    std::vector<double> x, y;
    for (size_t i = 0; i < series.y.size(); ++i) {
      const bool drawn = std::isfinite(series.x[i]) && std::isfinite(series.y[i]) && (!figure.log_x || series.x[i] > 0);
      if (drawn) x.push_back(series.x[i]), y.push_back(series.y[i]);
    }
    if (x.empty()) continue;
    const auto across = spread_of(x), up = spread_of(y);
    points.push_back({series.name, across.value, up.value, across.deviation, up.deviation});
  }
  if (points.empty()) user_error("figure '{}' has no finite value", figure.name);
  return points;
}

/// An axis from value to place, 0 to 1.
struct ScatterAxis {
  double low = HUGE_VAL, high = -HUGE_VAL;
  bool logarithmic = false;
  double place(double value) const { return logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low); }
  void cover(double value) { low = std::min(low, value), high = std::max(high, value); }
  void widen(double share) {
    if (logarithmic) {
      const double factor = low == high ? 3 : std::pow(high / low, share);
      low /= factor, high *= factor;
    } else {
      const double pad = std::max((high - low) * share, low == high ? std::max(std::abs(low) * 0.05, 1e-3) : 0.0);
      low -= pad, high += pad;
    }
  }
};

/// From the left, those that lie higher than all before.
std::vector<Point> frontier_of(std::vector<Point> points) {
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x != b.x ? a.x < b.x : a.y > b.y; });
  std::vector<Point> frontier;
  for (const Point& point : points) {
    if (frontier.empty() || point.y > frontier.back().y) frontier.push_back(point);
  }
  return frontier;
}

std::string label_commands(const std::vector<Point>& points, const ScatterAxis& across, const ScatterAxis& up, double inner) {
  const double width = scatter_width - scatter_left - scatter_right, height = scatter_top + inner + scatter_below;
  std::vector<Spot> spots;
  for (const Point& point : points)
    spots.push_back({across.place(point.x) * width, (1 - up.place(point.y)) * inner, point.name,
                     point.y_deviation / (up.high - up.low) * inner,
                     across.logarithmic ? 0 : point.x_deviation / (across.high - across.low) * width});
  std::string out;
  const auto labels = place_labels(spots, width, inner, 6.9);
  for (size_t i = 0; i < spots.size(); ++i) {
    const auto screen = [&](double x, double y) {
      return fmt::format("screen {:.4f},{:.4f}", (scatter_left + x) / scatter_width, 1 - (scatter_top + y) / height);
    };
    if (labels[i].far)
      out += fmt::format("set arrow from {} to {} nohead lw 0.7 lc rgb '{}'\n", screen(spots[i].x, spots[i].y),
                         screen(labels[i].x, labels[i].y), light("axis"));
    out += fmt::format("set label {} at {} {} front font 'Page,13' textcolor rgb '{}'\n", gnuplot_text(spots[i].name),
                       screen(labels[i].x, labels[i].y), labels[i].anchor, light("ink"));
  }
  return out;
}

std::string deviation_plots(const Figure& figure, const std::vector<Point>& points) {
  const auto some = [&](double Point::*deviation) {
    return std::any_of(points.begin(), points.end(), [&](const Point& point) { return point.*deviation > 0; });
  };
  std::string out;
  if (some(&Point::x_deviation))
    out += fmt::format("'{}.dat' index 0 using 1:2:3 with xerrorbars ps 0 lw 1.2 lc rgb '{}' notitle, \\\n  ", figure.name, light("c5"));
  if (some(&Point::y_deviation))
    out += fmt::format("'{}.dat' index 0 using 1:2:4 with yerrorbars ps 0 lw 1.2 lc rgb '{}' notitle, \\\n  ", figure.name, light("c5"));
  return out;
}

}  // namespace

Script scatter_script(const Figure& figure) {
  const std::vector<Point> points = points_of(figure);
  const double inner = height_for(points.size()), height = scatter_top + inner + scatter_below;
  Script script{"# mean x, mean y, deviation of x, deviation of y, name; then the frontier\n", "", scatter_width, height};
  ScatterAxis across{.logarithmic = figure.log_x}, up;
  for (const Point& point : points) {
    script.data += fmt::format("{} {} {} {} # {}\n", point.x, point.y, point.x_deviation, point.y_deviation, one_line(point.name));
    for (const double sign : {-1.0, 1.0}) up.cover(point.y + sign * point.y_deviation);
    across.cover(point.x);
  }
  across.widen(0.08), up.widen(0.08);
  script.data += "\n\n";
  for (const Point& point : frontier_of(points)) script.data += fmt::format("{} {}\n", point.x, point.y);
  script.commands =
      preamble(figure, scatter_width, height) +
      fmt::format(
          "set lmargin at screen {:.4f}\nset rmargin at screen {:.4f}\nset tmargin at screen {:.4f}\nset bmargin at screen {:.4f}\n",
          scatter_left / scatter_width, 1 - scatter_right / scatter_width, 1 - scatter_top / height, scatter_below / height) +
      fmt::format("set border 3\nset grid xtics ytics lt 1 lc rgb '{}'\nset xrange [{}:{}]\nset yrange [{}:{}]\n", light("grid"),
                  across.low, across.high, up.low, up.high);
  script.commands += figure.log_x ? "set logscale x\nset xtics add autofreq\nset format x '%.0s%c'\nunset mxtics\n"
                                  : fmt::format("set xtics {}\n", tidy_step(across.high - across.low, 6));
  script.commands +=
      fmt::format("set ytics {}\nset label {} at screen 0.025,{:.4f} rotate by 90 center textcolor rgb '{}'\n",
                  tidy_step(up.high - up.low, 6), gnuplot_text(figure.y_label), (scatter_below + inner / 2) / height, light("soft"));
  script.commands += below_axis(figure.x_label, (scatter_left + scatter_width - scatter_right) / 2, scatter_width, height) +
                     label_commands(points, across, up, inner);
  script.commands += "plot " + deviation_plots(figure, points);
  if (figure.frontier)
    script.commands +=
        fmt::format("'{}.dat' index 1 using 1:2 with steps lw 1.2 dt 2 lc rgb '{}' notitle, \\\n  ", figure.name, light("axis"));
  script.commands += fmt::format("'{}.dat' index 0 using 1:2 with points pt 7 ps 0.7 lc rgb '{}' notitle\n", figure.name, light("c0"));
  return script;
}

}  // namespace tsrun::report
