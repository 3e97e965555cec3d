#include "report/figure.h"
#include "tsrun/base/error.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tsrun::report {

namespace {

using Landscape = Figure::Landscape;

constexpr double whole_width = 600, room_left = 62, room_right = 92, between = 16, heading_height = 40, room_below = 46,
                 largest_panel = 250;
constexpr size_t most_abreast = 3;
/// Places of the panels on the page.
struct Plan {
  size_t across = 1, down = 1;
  double each = 0, height = 0, page = 0;
  double left(size_t panel) const { return room_left + (each + between) * static_cast<double>(panel % across); }
  double top(size_t panel) const { return heading_height + (height + heading_height) * static_cast<double>(panel / across); }
};

/// The plane is metric, so a unit is as long upwards as across, as far as the page allows.
Plan plan_of(const Landscape& landscape) {
  Plan plan;
  const size_t panels = landscape.panels.size();
  plan.across = panels == 4 ? 2 : std::min(panels, most_abreast);
  plan.down = (panels + plan.across - 1) / plan.across;
  const double room = whole_width - room_left - room_right - between * static_cast<double>(plan.across - 1);
  plan.each = std::min(room / static_cast<double>(plan.across), largest_panel);
  plan.height = plan.each * std::clamp((landscape.y[1] - landscape.y[0]) / (landscape.x[1] - landscape.x[0]), 0.6, 1.5);
  plan.page = (plan.height + heading_height) * static_cast<double>(plan.down) + room_below;
  return plan;
}

/// A cell is as large as the distance of two positions, with its position in the middle.
struct Cells {
  size_t columns = 0, rows = 0;
  double x = 0, y = 0, wide = 0, high = 0;
  explicit Cells(const Landscape& landscape)
      : columns(landscape.panels.front().values.front().size()),
        rows(landscape.panels.front().values.size()),
        wide((landscape.x[1] - landscape.x[0]) / static_cast<double>(columns - 1)),
        high((landscape.y[1] - landscape.y[0]) / static_cast<double>(rows - 1)) {
    x = landscape.x[0] - wide / 2;
    y = landscape.y[0] - high / 2;
  }
  double left(size_t column) const { return x + wide * static_cast<double>(column); }
  double bottom(size_t row) const { return y + high * static_cast<double>(row); }
};

bool reaches(const Landscape& landscape, const Landscape::Panel& panel, size_t row, size_t column) {
  return landscape.threshold && row < panel.values.size() && column < panel.values[row].size() &&
         panel.values[row][column] >= *landscape.threshold;
}

/// The edges between cells that reach the threshold and cells that do not, as "x y dx dy". Positions before the first wrap to a number that
/// is none, which reaches nothing.
std::string outline_of(const Landscape& landscape, const Landscape::Panel& panel, const Cells& cells) {
  std::string out;
  for (size_t row = 0; row <= cells.rows; ++row) {
    for (size_t column = 0; column <= cells.columns; ++column) {
      const bool own = reaches(landscape, panel, row, column);
      if (own != reaches(landscape, panel, row - 1, column) && column < cells.columns)
        out += fmt::format("{:.6g} {:.6g} {:.6g} 0\n", cells.left(column), cells.bottom(row), cells.wide);
      if (own != reaches(landscape, panel, row, column - 1) && row < cells.rows)
        out += fmt::format("{:.6g} {:.6g} 0 {:.6g}\n", cells.left(column), cells.bottom(row), cells.high);
    }
  }
  return out;
}

struct Scale {
  double low = HUGE_VAL, high = -HUGE_VAL;
};

Scale scale_of(const Figure& figure) {
  Scale scale;
  for (const auto& panel : figure.landscape.panels) {
    for (const auto& row : panel.values) {
      for (const double value : row) {
        if (std::isfinite(value)) scale.low = std::min(scale.low, value), scale.high = std::max(scale.high, value);
      }
    }
  }
  if (scale.low > scale.high) user_error("figure '{}' has no finite value", figure.name);
  if (scale.low == scale.high) scale.low -= 0.5, scale.high += 0.5;
  return scale;
}

/// "34 % of cells ≥ 0.9"; cells without a value count as falling short.
std::string share_in_words(const Landscape& landscape, const Landscape::Panel& panel, const Cells& cells) {
  if (!landscape.threshold) return {};
  size_t reaching = 0;
  for (size_t row = 0; row < cells.rows; ++row)
    for (size_t column = 0; column < cells.columns; ++column) reaching += reaches(landscape, panel, row, column) ? 1 : 0;
  return fmt::format("{} of cells ≥ {:g}", percent(static_cast<double>(reaching) / static_cast<double>(cells.rows * cells.columns)),
                     *landscape.threshold);
}

constexpr size_t bar_steps = 64;

/// Blocks: cells and outline of each panel, then the points, then the colour bar.
std::string data_of(const Landscape& landscape, const Cells& cells, const Scale& scale) {
  std::string data = "# of each panel: x, y, value of the cells, then x, y, dx, dy of the outline; then the points; then the colour bar\n";
  for (const auto& panel : landscape.panels) {
    data += "# " + one_line(panel.name) + "\n";
    for (size_t row = 0; row < cells.rows; ++row) {
      for (size_t column = 0; column < cells.columns; ++column) {
        const double value = panel.values[row][column];
        if (std::isfinite(value))
          data += fmt::format("{:.6g} {:.6g} {:.6g}\n", cells.left(column) + cells.wide / 2, cells.bottom(row) + cells.high / 2, value);
      }
    }
    data += "NaN NaN NaN\n\n\n" + outline_of(landscape, panel, cells) + "NaN NaN NaN NaN\n\n\n";  // a block that is empty would not count
  }
  for (const auto& mark : landscape.marks) data += fmt::format("{:.6g} {:.6g} # {}\n", mark.x, mark.y, one_line(mark.name));
  data += "NaN NaN\n\n\n";
  const double step = (scale.high - scale.low) / static_cast<double>(bar_steps);
  for (size_t i = 0; i < bar_steps; ++i) data += fmt::format("0.5 {:.6g}\n", scale.low + step * (static_cast<double>(i) + 0.5));
  return data;
}

std::string screen_margins(double left, double top, double width, double height, const Plan& plan) {
  return fmt::format(
      "set lmargin at screen {:.4f}\nset rmargin at screen {:.4f}\nset tmargin at screen {:.4f}\nset bmargin at screen {:.4f}\n",
      left / whole_width, (left + width) / whole_width, 1 - top / plan.page, 1 - (top + height) / plan.page);
}

std::string names_of_marks(const Landscape& landscape, const Cells& cells, const Plan& plan, size_t panel) {
  std::vector<Spot> spots;
  for (const auto& mark : landscape.marks) {
    spots.push_back({(mark.x - cells.x) / (cells.wide * static_cast<double>(cells.columns)) * plan.each,
                     plan.height - (mark.y - cells.y) / (cells.high * static_cast<double>(cells.rows)) * plan.height, mark.name});
  }
  std::string out;
  const auto labels = place_labels(spots, plan.each, plan.height, 6.2);
  for (size_t i = 0; i < spots.size(); ++i) {
    out += fmt::format("set label {} at screen {:.4f},{:.4f} {} front font 'Halo,11.5' textcolor rgb '{}'\n", gnuplot_text(spots[i].name),
                       (plan.left(panel) + labels[i].x) / whole_width, 1 - (plan.top(panel) + labels[i].y) / plan.page, labels[i].anchor,
                       on_light);
  }
  return out;
}

/// A name that would run into the next panel's is cut.
std::string cut_to_fit(const std::string& text, double room) {
  constexpr double bold_letter = 7.6;
  const auto letters = static_cast<size_t>(room / bold_letter);
  if (display_width(text) <= letters) return text;
  size_t end = 0;
  for (size_t kept = 0; end < text.size(); ++end) {
    if ((static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U && ++kept == letters) break;  // where a letter begins
  }
  return text.substr(0, end) + "…";
}

std::string headings(const Figure& figure, const Cells& cells, const Plan& plan, size_t panel) {
  const auto& own = figure.landscape.panels[panel];
  const auto line = [&](const std::string& text, double above, std::string_view font, std::string_view colour) {
    return fmt::format("set label {} at screen {:.4f},{:.4f} left {} textcolor rgb '{}'\n", gnuplot_text(text),
                       plan.left(panel) / whole_width, 1 - (plan.top(panel) - above) / plan.page, font, light(colour));
  };
  const std::string share = share_in_words(figure.landscape, own, cells);
  std::string out =
      "unset label\n" + line(cut_to_fit(own.name, panel % plan.across + 1 == plan.across ? plan.each + room_right : plan.each),
                             share.empty() ? 9 : 25, "font 'Heading,13'", "ink");
  if (!share.empty()) out += line(share, 9, "font 'Text,11.5'", "soft");
  if (panel + plan.across >= figure.landscape.panels.size())
    out +=
        fmt::format("set label {} at screen {:.4f},{:.4f} center textcolor rgb '{}'\n", gnuplot_text(figure.x_label),
                    (plan.left(panel) + plan.each / 2) / whole_width, 1 - (plan.top(panel) + plan.height + 35) / plan.page, light("soft"));
  if (panel % plan.across == 0)
    out += fmt::format("set label {} at screen 0.02,{:.4f} rotate by 90 center textcolor rgb '{}'\n", gnuplot_text(figure.y_label),
                       1 - (plan.top(panel) + plan.height / 2) / plan.page, light("soft"));
  return out;
}

std::string panel_script(const Figure& figure, const Cells& cells, const Plan& plan, size_t panel) {
  const double right = cells.left(cells.columns), upper = cells.bottom(cells.rows);
  std::string out = screen_margins(plan.left(panel), plan.top(panel), plan.each, plan.height, plan);
  out += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nset xtics {}\nset ytics {}\n", cells.x, right, cells.y, upper,
                     tidy_step(right - cells.x, 3.5), tidy_step(upper - cells.y, 4.5));
  out += fmt::format("set format x '{}'\nset format y '{}'\n", panel + plan.across >= figure.landscape.panels.size() ? "%g" : "",
                     panel % plan.across == 0 ? "%g" : "");
  out += headings(figure, cells, plan, panel) + names_of_marks(figure.landscape, cells, plan, panel);
  out += fmt::format(
      "plot '{0}.dat' index {1} using 1:2:($1-{2}):($1+{2}):($2-{3}):($2+{3}):3 with boxxyerror fs solid 1 noborder lc palette notitle",
      figure.name, 2 * panel, cells.wide / 2, cells.high / 2);
  for (const auto& [colour, width] : {std::pair{on_dark, 3.2}, std::pair{on_light, 1.5}})
    out += fmt::format(", \\\n  '' index {} using 1:2:3:4 with vectors nohead lw {} lc rgb '{}' notitle", 2 * panel + 1, width, colour);
  for (const auto& [colour, size] : {std::pair{on_dark, 0.85}, std::pair{on_light, 0.55}})
    out += fmt::format(", \\\n  '' index {} using 1:2 with points pt 7 ps {} lc rgb '{}' notitle", 2 * figure.landscape.panels.size(), size,
                       colour);
  return out + "\n";
}

/// To the right of the first row, as high as a panel; a line across it where the threshold is.
std::string bar_script(const Figure& figure, const Plan& plan, const Scale& scale) {
  const size_t block = 2 * figure.landscape.panels.size() + 1;
  const double left = room_left + (plan.each + between) * static_cast<double>(plan.across - 1) + plan.each + 16, top = plan.top(0);
  const double half = (scale.high - scale.low) / static_cast<double>(bar_steps) / 2;
  std::string out = screen_margins(left, top, 12, plan.height, plan) + "unset label\nunset xtics\nunset ytics\n";
  out += fmt::format(
      "set xrange [0:1]\nset yrange [{0}:{1}]\nset y2range [{0}:{1}]\nset y2tics {2} scale 0.4 out textcolor rgb '{3}'\nset format y2 "
      "'%g'\n",
      scale.low, scale.high, tidy_step(scale.high - scale.low, 6), light("soft"));
  out += fmt::format("set label {} at screen {:.4f},{:.4f} rotate by 90 center textcolor rgb '{}'\n", gnuplot_text(figure.landscape.scale),
                     (left + 66) / whole_width, 1 - (top + plan.height / 2) / plan.page, light("soft"));
  const auto& threshold = figure.landscape.threshold;
  if (threshold && *threshold > scale.low && *threshold < scale.high)
    out += fmt::format("set arrow from -0.35, first {0} to 1.35, first {0} nohead front lw 1.6 lc rgb '{1}'\n", *threshold, light("ink"));
  return out +
         fmt::format("plot '{}.dat' index {} using 1:2:(0):(1):($2-{}):($2+{}):2 with boxxyerror fs solid 1 noborder lc palette notitle\n",
                     figure.name, block, half, half);
}

}  // namespace

Script landscape_script(const Figure& figure) {
  const Landscape& landscape = figure.landscape;
  const Plan plan = plan_of(landscape);
  const Cells cells(landscape);
  const Scale scale = scale_of(figure);
  Script script{data_of(landscape, cells, scale), "", whole_width, plan.page};
  script.commands = preamble(figure, whole_width, plan.page) + std::string(heat_colours) +
                    fmt::format("set cbrange [{}:{}]\n", scale.low, scale.high) + "set border 0\nset tics scale 0.4\nset multiplot\n";
  for (size_t panel = 0; panel < landscape.panels.size(); ++panel) script.commands += panel_script(figure, cells, plan, panel);
  script.commands += bar_script(figure, plan, scale) + "unset multiplot\n";
  return script;
}

}  // namespace tsrun::report
