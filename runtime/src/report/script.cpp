#include "report/figure.h"
#include "tsrun/base/error.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tsrun::report {

namespace {

constexpr double row_height = 19, margin = 14, axis_room = 46, legend_row = 20;

/// A line down the page: a category, or the heading of a series.
struct Line {
  std::string text;
  bool heading = false;
  size_t series = 0;
};

bool finite_number(double value) { return std::isfinite(value); }

std::vector<Line> lines_of(const Figure& figure, bool headings) {
  std::vector<Line> lines;
  for (size_t s = 0; s < figure.series.size(); ++s) {
    if (headings && !figure.series[s].name.empty()) lines.push_back({figure.series[s].name, true, s});
    for (const auto& label : figure.series[s].labels) {
      const auto same = [&](const Line& line) { return !line.heading && line.text == label && (!headings || line.series == s); };
      if (std::none_of(lines.begin(), lines.end(), same)) lines.push_back({label, false, s});
    }
  }
  return lines;
}

size_t line_of(const std::vector<Line>& lines, const std::string& label, size_t series, bool headings) {
  const auto same = [&](const Line& line) { return !line.heading && line.text == label && (!headings || line.series == series); };
  return static_cast<size_t>(std::find_if(lines.begin(), lines.end(), same) - lines.begin());
}

/// Room for categories on the left, an axis below, `rows` lines between.
struct Frame {
  double left, width, top, height;
  Frame(const std::vector<Line>& lines, double above, double each) : top(margin + above) {
    double longest = 0;
    for (const auto& line : lines) longest = std::max(longest, text_width(line.text) + (line.heading ? -60 : 0));
    left = longest + 2 * margin;
    width = std::max(600.0, left + 300);
    height = top + each * static_cast<double>(lines.size()) + axis_room;
  }
  std::string label(const std::string& text) const { return below_axis(text, (left + width - 2 * margin) / 2, width, height); }
  std::string margins() const {
    return fmt::format(
        "set lmargin at screen {:.4f}\nset rmargin at screen {:.4f}\nset tmargin at screen {:.4f}\nset bmargin at screen {:.4f}\n",
        left / width, 1 - 2 * margin / width, 1 - top / height, axis_room / height);
  }
};

/// Unlike labels, names of tics are formats.
std::string as_format(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '%' ? "%%" : std::string(1, c);
  return out;
}

std::string category_axis(const std::vector<Line>& lines, const Frame& frame) {
  std::string tics, headings;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].heading) {
      headings += fmt::format("set label {} at screen {:.4f}, first {} font 'Heading,13' textcolor rgb '{}'\n", gnuplot_text(lines[i].text),
                              margin / frame.width, static_cast<double>(i) + 0.1, light("ink"));
    } else {
      tics += fmt::format("{}{} {}", tics.empty() ? "" : ", \\\n  ", gnuplot_text(as_format(lines[i].text)), i);
    }
  }
  return fmt::format("set yrange [{}:-0.5]\nset ytics scale 0 ( \\\n  {})\n{}", static_cast<double>(lines.size()) - 0.5, tics, headings);
}

/// A swatch and a name for every series, left to right, as many rows as needed.
struct Legend {
  std::string commands;
  double height = 0;
  Legend(const Figure& figure, const std::vector<std::string>& styles) {
    std::vector<std::string> names;
    for (const auto& series : figure.series) names.push_back(series.name);
    column_ = widest(names) + 46;
    columns_ = std::max<size_t>(1, static_cast<size_t>((600 - 2 * margin) / column_));
    styles_ = styles;
    names_ = names;
    height = figure.series.size() < 2 ? 0 : legend_row * std::ceil(static_cast<double>(names.size()) / static_cast<double>(columns_));
  }
  std::string place(double width, double whole) const {
    std::string out;
    for (size_t i = 0; height > 0 && i < names_.size(); ++i) {
      const double x = margin + column_ * static_cast<double>(i % columns_),
                   y = margin + legend_row * (0.5 + static_cast<double>(i / columns_));
      out += fmt::format("set arrow from screen {:.4f},{:.4f} to screen {:.4f},{:.4f} nohead {}\n", x / width, 1 - y / whole,
                         (x + 18) / width, 1 - y / whole, styles_[i]);
      out += fmt::format("set label {} at screen {:.4f},{:.4f} textcolor rgb '{}'\n", gnuplot_text(names_[i]), (x + 25) / width,
                         1 - y / whole, light("ink"));
    }
    return out;
  }

 private:
  double column_ = 0;
  size_t columns_ = 1;
  std::vector<std::string> styles_, names_;
};

std::string series_style(size_t index, double width) {
  return fmt::format("lc rgb '{}' lw {} dt {}", palette[index % series_colours].light, width, 1 + index / series_colours % 4);
}

Script dots_script(const Figure& figure) {
  const std::vector<Line> lines = lines_of(figure, true);
  const Frame frame(lines, 0, row_height);
  Script script{"# value, line; then mean, line\n", "", frame.width, frame.height};
  std::string means;
  double low = HUGE_VAL, high = -HUGE_VAL;
  bool whole = true;  // numbers of layers, say: no ticks between them
  for (double line : figure.horizontal_lines) low = std::min(low, line), high = std::max(high, line);
  for (size_t at = 0; at < lines.size(); ++at) {
    double sum = 0;
    int64_t n = 0;
    const auto& series = figure.series[lines[at].series];
    for (size_t i = 0; !lines[at].heading && i < series.y.size(); ++i) {
      if (series.labels[i] != lines[at].text || !finite_number(series.y[i])) continue;
      script.data += fmt::format("{} {}\n", series.y[i], at);
      low = std::min(low, series.y[i]), high = std::max(high, series.y[i]);
      whole = whole && series.y[i] == std::floor(series.y[i]);
      sum += series.y[i];
      ++n;
    }
    if (n > 0) means += fmt::format("{} {}\n", sum / static_cast<double>(n), at);
  }
  if (means.empty()) user_error("figure '{}' has no finite value", figure.name);
  script.data += "\n\n" + means;
  const double pad = std::max((high - low) * 0.05, 1e-3 * std::max(1.0, std::abs(high))), step = tidy_step(high - low + 2 * pad, 7);
  script.commands =
      preamble(figure, frame.width, frame.height) + frame.margins() + category_axis(lines, frame) + frame.label(figure.x_label) +
      fmt::format("set xtics {}\n", whole ? std::max(1.0, step) : step) +
      fmt::format("set xrange [{}:{}]\nset border 1\nset grid xtics ytics lt 1 lc rgb '{}'\n", low - pad, high + pad, light("grid"));
  for (double line : figure.horizontal_lines) {
    script.commands += fmt::format("set arrow from {0}, graph 0 to {0}, graph 1 nohead dt 2 lw 1.2 lc rgb '{1}'\n", line, light("soft"));
  }
  script.commands += fmt::format(
      "plot '{0}.dat' index 1 using 1:($2-0.34):(0):(0.68) with vectors nohead lw 2 lc rgb '{1}' notitle, \\\n"
      "  '' index 0 using 1:2 with points pt 7 ps 0.5 lc rgb '{2}' notitle\n",
      figure.name, light("ink"), light("c0"));
  return script;
}

Script bars_script(const Figure& figure) {
  const std::vector<Line> lines = lines_of(figure, false);
  std::vector<std::string> styles;
  for (size_t s = 0; s < figure.series.size(); ++s) styles.push_back(fmt::format("lc rgb '{}' lw 9", palette[s % series_colours].light));
  const Legend legend(figure, styles);
  const Frame frame(lines, legend.height > 0 ? legend.height + 6 : 0,
                    std::max(row_height, 7 + 9 * static_cast<double>(figure.series.size())));
  Script script{"# value, line, lower edge, upper edge\n", "", frame.width, frame.height};
  const double thickness = 0.8 / static_cast<double>(figure.series.size());
  double low = 0, high = 0;
  std::string plots;
  for (size_t s = 0; s < figure.series.size(); ++s) {
    const auto& series = figure.series[s];
    for (size_t i = 0; i < series.y.size(); ++i) {
      if (!finite_number(series.y[i])) continue;
      const double upper = static_cast<double>(line_of(lines, series.labels[i], s, false)) - 0.4 + thickness * static_cast<double>(s);
      script.data += fmt::format("{} {} {} {}\n", series.y[i], upper + thickness / 2, upper, upper + thickness * 0.9);
      low = std::min(low, series.y[i]), high = std::max(high, series.y[i]);
    }
    script.data += "\n\n";
    plots += fmt::format("{}'{}.dat' index {} using 1:2:(0):1:3:4 with boxxyerror fs solid 1 noborder lc rgb '{}' notitle",
                         s == 0 ? "" : ", \\\n  ", figure.name, s, palette[s % series_colours].light);
  }
  if (low == high) high = 1;
  script.commands =
      preamble(figure, frame.width, frame.height) + frame.margins() + category_axis(lines, frame) + frame.label(figure.x_label) +
      fmt::format("set xtics {}\n", tidy_step((high - low) * 1.05, 7)) +
      fmt::format("set xrange [{}:{}]\nset border 0\nset grid xtics lt 1 lc rgb '{}'\n", low * 1.05, high * 1.05, light("grid")) +
      legend.place(frame.width, frame.height) + "plot " + plots + "\n";
  return script;
}

/// Curves, or clouds of points.
Script lines_script(const Figure& figure) {
  const bool cloud = figure.kind == Figure::Kind::points;
  std::vector<std::string> styles;
  for (size_t s = 0; s < figure.series.size(); ++s) styles.push_back(series_style(s, 1.8));
  const Legend legend(figure, styles);
  const double top = margin + legend.height + (legend.height > 0 ? 6 : 0), height = top + 270 + axis_room;
  Script script{"# x, y\n", "", 600, height};
  std::string plots;
  for (size_t s = 0; s < figure.series.size(); ++s) {
    const auto& series = figure.series[s];
    for (size_t i = 0; i < series.y.size(); ++i) {
      if (finite_number(series.y[i]) && (!figure.log_y || series.y[i] > 0) && (!figure.log_x || series.x[i] > 0))
        script.data += fmt::format("{} {}\n", series.x[i], series.y[i]);
    }
    script.data += "\n\n";
    plots += fmt::format("{}'{}.dat' index {} using 1:2 with {} {} notitle", s == 0 ? "" : ", \\\n  ", figure.name, s,
                         cloud                  ? "points pt 7 ps 0.28"
                         : series.y.size() > 40 ? "lines"
                                                : "linespoints pt 7 ps 0.28",
                         styles[s]);
  }
  script.commands =
      preamble(figure, 600, height) +
      fmt::format("set lmargin at screen 0.125\nset rmargin at screen 0.97\nset tmargin at screen {:.4f}\nset bmargin at screen {:.4f}\n",
                  1 - top / height, axis_room / height) +
      fmt::format("set border 3\nset xtics nomirror\nset ytics nomirror\nset grid {}ytics lt 1 lc rgb '{}'\n", cloud ? "xtics " : "",
                  light("grid"));
  script.commands += fmt::format("set label {} at screen 0.025,{:.4f} rotate by 90 center textcolor rgb '{}'\n",
                                 gnuplot_text(figure.y_label), (axis_room + 135) / height, light("soft"));
  script.commands += below_axis(figure.x_label, 600 * 0.5475, 600, height);
  if (figure.log_x) script.commands += "set logscale x\n";
  if (figure.log_y) script.commands += "set logscale y\nset format y '%.0e'\n";
  for (double line : figure.horizontal_lines) {
    script.commands +=
        fmt::format("set arrow from graph 0, first {0} to graph 1, first {0} nohead dt 2 lw 1.2 lc rgb '{1}'\n", line, light("soft"));
  }
  script.commands += legend.place(600, height) + "plot " + plots + "\n";
  return script;
}

}  // namespace

std::string_view light(std::string_view role) {
  for (const auto& colour : palette) {
    if (colour.role == role) return colour.light;
  }
  internal_error("no colour for '{}'", role);
}

std::string gnuplot_text(std::string_view text) {
  std::string out = "'";
  for (char c : one_line(text)) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

double text_width(std::string_view text) { return 6.9 * static_cast<double>(display_width(text)); }

double widest(const std::vector<std::string>& texts) {
  double width = 0;
  for (const auto& text : texts) width = std::max(width, text_width(text));
  return width;
}

std::string preamble(const Figure& figure, double width, double height) {
  return fmt::format(
      "# Draws {0}.svg from {0}.dat: gnuplot {0}.gp\nset encoding utf8\n"
      "set terminal svg size {1:.0f},{2:.0f} dynamic noenhanced font 'Text,13'\nset output '{0}.svg'\n"
      "unset key\nset tics textcolor rgb '{3}' nomirror out scale 0.4\nset xtics offset 0,0.35\nset border lc rgb '{4}'\n",
      figure.name, width, height, light("soft"), light("axis"));
}

std::string below_axis(const std::string& text, double x, double width, double height) {
  return fmt::format("set label {} at screen {:.4f},{:.4f} center textcolor rgb '{}'\n", gnuplot_text(text), x / width, 11 / height,
                     light("soft"));
}

double tidy_step(double span, double steps) {
  const double power = std::pow(10, std::floor(std::log10(span / steps)));
  const double lead = span / steps / power;
  return power * (lead > 5 ? 10 : lead > 2 ? 5 : lead > 1 ? 2 : 1);
}

Script script_of(const Figure& figure) {
  switch (figure.kind) {
    case Figure::Kind::dots:
      return dots_script(figure);
    case Figure::Kind::bars:
      return bars_script(figure);
    case Figure::Kind::lines:
    case Figure::Kind::points:
      return lines_script(figure);
    case Figure::Kind::positions:
      return positions_script(figure);
    case Figure::Kind::scatter:
      return scatter_script(figure);
    case Figure::Kind::landscape:
      return landscape_script(figure);
    case Figure::Kind::heat_map:
      return heat_map_script(figure);
  }
  internal_error("figure '{}' is of no kind", figure.name);
}

}  // namespace tsrun::report
