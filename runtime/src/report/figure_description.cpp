#include "tsrun/report/figure_description.h"

#include "report/geometry_figures.h"

#include "tsrun/base/error.h"
#include "tsrun/base/options.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tsrun {

namespace {

using nlohmann::json;

OptionTable figure_options() {
  return {
      {.name = "name", .type = OptionType::text, .doc = "file stem", .required = true},
      {.name = "caption", .type = OptionType::text, .fallback = "", .doc = "sentence under the figure"},
      {.name = "kind",
       .type = OptionType::choice,
       .doc = "what is drawn",
       .required = true,
       .choices = {"dots", "lines", "points", "positions", "bars", "scatter", "landscape", "heat_map", "spectrum", "update", "shares",
                   "layers", "cosines", "projection", "geometry"}},
      {.name = "x_label", .type = OptionType::text, .fallback = "", .doc = "horizontal axis"},
      {.name = "y_label", .type = OptionType::text, .fallback = "", .doc = "vertical axis"},
      {.name = "log_x", .type = OptionType::boolean, .fallback = false, .doc = "logarithmic horizontal axis of lines and scatter"},
      {.name = "log_y", .type = OptionType::boolean, .fallback = false, .doc = "logarithmic vertical axis"},
      {.name = "frontier",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "scatter: joins the points that none beats with less of x"},
      {.name = "panels",
       .type = OptionType::list,
       .fallback = json::array(),
       .doc = "landscape: tables {name, values}, a row of values for every y"},
      {.name = "x", .type = OptionType::list, .doc = "landscape: {min, max}"},
      {.name = "y", .type = OptionType::list, .doc = "landscape: {min, max}"},
      {.name = "points", .type = OptionType::list, .fallback = json::array(), .doc = "landscape: tables {name, x, y}"},
      {.name = "threshold", .type = OptionType::number, .doc = "landscape: cells at or above it are outlined"},
      {.name = "rows", .type = OptionType::list, .fallback = json::array(), .doc = "heat_map: names from the top"},
      {.name = "columns", .type = OptionType::list, .fallback = json::array(), .doc = "heat_map: names from the left"},
      {.name = "values", .type = OptionType::list, .fallback = json::array(), .doc = "heat_map: a list of numbers for every row"},
      {.name = "digits", .type = OptionType::integer, .fallback = 1, .doc = "heat_map: decimals", .minimum = 0, .maximum = 9},
      {.name = "label", .type = OptionType::text, .fallback = "", .doc = "landscape: what the colours mean"},
      {.name = "series",
       .type = OptionType::list,
       .fallback = json::array(),
       .doc = "tables {name, labels, x, y, panel, horizontal_lines}"},
      {.name = "horizontal_lines", .type = OptionType::list, .fallback = json::array(), .doc = "values marked across"},
      {.name = "bases", .type = OptionType::table, .doc = "spectrum: name → subspace"},
      {.name = "geometries", .type = OptionType::table, .doc = "spectrum: name → geometry of ts.geometry"},
      {.name = "geometry", .type = OptionType::table, .doc = "cosines and projection: a geometry of ts.geometry"},
      {.name = "runs", .type = OptionType::table, .doc = "geometry: name → training with geometry_every"},
      {.name = "metric", .type = OptionType::text, .fallback = "mean_cosine", .doc = "geometry: what is drawn over the steps"},
      {.name = "centred",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "geometries, cosines, geometry: of the vectors without their mean"},
      {.name = "scopes", .type = OptionType::table, .doc = "layers: name → scope of ts.select"},
      {.name = "outliers", .type = OptionType::table, .doc = "update: one mask; shares: name → mask"},
      {.name = "sigmas", .type = OptionType::number, .fallback = 3.0, .doc = "update: where the lines stand", .minimum = 0},
  };
}

OptionTable series_options() {
  return {
      {.name = "name", .type = OptionType::text, .fallback = "", .doc = "in the legend"},
      {.name = "labels", .type = OptionType::list, .fallback = json::array(), .doc = "categories"},
      {.name = "x", .type = OptionType::list, .fallback = json::array(), .doc = "positions"},
      {.name = "y", .type = OptionType::list, .fallback = json::array(), .doc = "values"},
      {.name = "panel", .type = OptionType::text, .fallback = "", .doc = "row of small multiples"},
      {.name = "horizontal_lines", .type = OptionType::list, .fallback = json::array(), .doc = "thresholds of this series"},
  };
}

std::vector<double> numbers(const json& list) {
  std::vector<double> result;
  for (const auto& value : list) result.push_back(value.is_number() ? value.get<double>() : 0.0);
  return result;
}

Figure::Series series_of(const json& description) {
  const Options o = series_options().resolve(description, "report: figure: series");
  return {.name = o.text("name"),
          .labels = o.texts("labels"),
          .x = numbers(o.value("x")),
          .y = numbers(o.value("y")),
          .panel = o.text("panel"),
          .horizontal_lines = numbers(o.value("horizontal_lines"))};
}

/// Singular values relative to the largest of their group; one curve a basis and group, so that bases can be compared.
void draw_spectrum(Figure& figure, const json& bases) {
  figure.kind = Figure::Kind::lines;
  figure.log_y = true;
  figure.x_label = "direction";
  figure.y_label = "singular value / largest";
  for (const auto& [name, basis] : bases.items()) {
    for (const auto& group : basis.value("groups", json::array())) {
      const auto values = numbers(group.value("singular_values", json::array()));
      if (values.empty() || values.front() <= 0) continue;
      Figure::Series series;
      series.name = name + ", " + group.value("name", "");
      for (size_t i = 0; i < values.size(); ++i) {
        if (values[i] <= 0) continue;
        series.x.push_back(static_cast<double>(i + 1));
        series.y.push_back(values[i] / values.front());
      }
      figure.series.push_back(std::move(series));
    }
  }
}

/// A list of a selector's table along the layers, from `first` on; `relative`: over its largest magnitude.
Figure::Series curve_of(const std::string& name, const json& values, double first, bool relative) {
  Figure::Series series;
  series.name = name;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].is_number()) continue;
    series.x.push_back(first + static_cast<double>(i));
    series.y.push_back(values[i].get<double>());
  }
  double largest = 0;
  for (const double y : series.y) largest = std::max(largest, std::abs(y));
  for (double& y : series.y) y /= relative && largest > 0 ? largest : 1;
  return series;
}

/// Lists by layer (1, 2, …) and by latent space (0, 1, …) of choices; those of several scopes on scales of their own.
void draw_layers(Figure& figure, const json& scopes) {
  const bool several = scopes.size() > 1;
  figure.kind = Figure::Kind::lines;
  figure.x_label = "layer";
  figure.y_label = several ? "share of the largest" : "";
  for (const auto& [name, scope] : scopes.items()) {
    const json table = scope.value("table", json::object());
    const json layers = table.value("layers", json::object()), spaces = table.value("latent_spaces", json::object());
    const double first = table.value("first_layer", 0.0);
    const size_t before = figure.series.size();
    for (const auto& [list, values] : spaces.items()) figure.series.push_back(curve_of(name + ", " + list, values, first, several));
    for (const auto& [list, values] : layers.items()) figure.series.push_back(curve_of(name + ", " + list, values, first + 1, several));
    if (figure.series.size() == before)
      user_error("figure '{}': the selector of scope '{}' has no numbers by layer; expected one such as salf", figure.name, name);
  }
}

/// |u − mean| along each group's positions with the line beyond which an outlier lies.
void draw_update(Figure& figure, const json& outliers, double sigmas) {
  figure.kind = Figure::Kind::positions;
  figure.x_label = "position in the layer";
  figure.y_label = "|u − mean|";
  for (const auto& group : outliers.value("profile", json::array())) {
    figure.series.push_back({.name = group.at("group").get<std::string>(),
                             .labels = {},
                             .x = numbers(group.at("positions")),
                             .y = numbers(group.at("values")),
                             .panel = {},
                             .horizontal_lines = {sigmas * group.at("sigma").get<double>()}});
  }
}

/// Share of the outliers in each kind of tensor; every series names every kind.
void draw_shares(Figure& figure, const json& masks) {
  figure.kind = Figure::Kind::bars;
  figure.x_label = "share of the outliers";
  std::map<std::string, bool> modules;
  for (const auto& [name, mask] : masks.items()) {
    const json by_module = mask.value("by_module", json::object());
    for (const auto& [module, share] : by_module.items()) modules[module] = true;
  }
  for (const auto& [name, mask] : masks.items()) {
    Figure::Series series;
    series.name = name;
    const json by_module = mask.value("by_module", json::object());
    for (const auto& [module, unused] : modules) {
      series.labels.push_back(module);
      series.y.push_back(by_module.contains(module) ? by_module[module].at("share").get<double>() : 0.0);
    }
    figure.series.push_back(std::move(series));
  }
}

OptionTable panel_options() {
  return {{.name = "name", .type = OptionType::text, .doc = "above the panel", .required = true},
          {.name = "values", .type = OptionType::list, .doc = "a list of numbers for every y, the lowest first", .required = true}};
}

OptionTable point_options() {
  return {{.name = "name", .type = OptionType::text, .doc = "beside the point", .required = true},
          {.name = "x", .type = OptionType::number, .doc = "position", .required = true},
          {.name = "y", .type = OptionType::number, .doc = "position", .required = true}};
}

std::array<double, 2> range_of_axis(const json& range, const char* axis) {
  if (!range.is_array() || range.size() != 2 || !range[0].is_number() || !range[1].is_number())
    user_error("report: landscape: '{}' is {}, expected {{min, max}}", axis, range.dump());
  return {range[0].get<double>(), range[1].get<double>()};
}

/// A missing value (null or false) is a cell that is not drawn.
std::vector<double> row_of_cells(const json& row, const std::string& where) {
  if (!row.is_array()) user_error("report: {}: a row is {}, expected a list of numbers", where, row.dump());
  std::vector<double> cells;
  for (const auto& cell : row) cells.push_back(cell.is_number() ? cell.get<double>() : std::nan(""));
  return cells;
}

void draw_landscape(Figure& figure, const Options& o) {
  auto& landscape = figure.landscape;
  figure.kind = Figure::Kind::landscape;
  landscape.x = range_of_axis(o.value("x"), "x");
  landscape.y = range_of_axis(o.value("y"), "y");
  landscape.scale = o.text("label");
  if (o.has("threshold")) landscape.threshold = o.number("threshold");
  for (const auto& description : o.value("panels")) {
    const Options panel = panel_options().resolve(description, "report: landscape: panel");
    landscape.panels.push_back({panel.text("name"), {}});
    for (const auto& row : panel.value("values"))
      landscape.panels.back().values.push_back(row_of_cells(row, fmt::format("landscape: panel '{}'", panel.text("name"))));
  }
  for (const auto& description : o.value("points")) {
    const Options point = point_options().resolve(description, "report: landscape: point");
    landscape.marks.push_back({point.text("name"), point.number("x"), point.number("y")});
  }
}

void draw_heat_map(Figure& figure, const Options& o) {
  figure.kind = Figure::Kind::heat_map;
  figure.heat_map = {o.texts("columns"), o.texts("rows"), {}, static_cast<int>(o.integer("digits"))};
  for (const auto& row : o.value("values")) figure.heat_map.values.push_back(row_of_cells(row, "heat map"));
}

/// What a figure is of. @throws Error(user) when it is not given
const json& subject(const Options& o, const char* name) {
  if (!o.has(name)) user_error("figure '{}': kind '{}' draws '{}', which is absent", o.text("name"), o.text("kind"), name);
  return o.value(name);
}

}  // namespace

Figure figure_of(const json& description) {
  const Options o = figure_options().resolve(description, "report: figure");
  const std::map<std::string, Figure::Kind> kinds = {{"dots", Figure::Kind::dots},     {"lines", Figure::Kind::lines},
                                                     {"points", Figure::Kind::points}, {"positions", Figure::Kind::positions},
                                                     {"bars", Figure::Kind::bars},     {"scatter", Figure::Kind::scatter}};
  Figure figure;
  figure.name = o.text("name");
  figure.caption = o.text("caption");
  figure.log_x = o.flag("log_x");
  figure.log_y = o.flag("log_y");
  figure.frontier = o.flag("frontier");
  const std::string kind = o.text("kind");
  if (kind == "spectrum") {
    draw_spectrum(figure, o.has("bases") ? o.value("bases") : json::object());
    if (o.has("geometries")) report::draw_geometry_spectra(figure, o.value("geometries"), o.flag("centred"));
  } else if (kind == "cosines") {
    report::draw_cosines(figure, subject(o, "geometry"), o.flag("centred"));
  } else if (kind == "projection") {
    report::draw_projection(figure, subject(o, "geometry"));
  } else if (kind == "geometry") {
    report::draw_geometry_path(figure, subject(o, "runs"), o.text("metric"), o.flag("centred"));
  } else if (kind == "layers") {
    draw_layers(figure, o.value("scopes"));
  } else if (kind == "update") {
    draw_update(figure, o.value("outliers"), o.number("sigmas"));
  } else if (kind == "shares") {
    draw_shares(figure, o.value("outliers"));
  } else if (kind == "landscape") {
    draw_landscape(figure, o);
  } else if (kind == "heat_map") {
    draw_heat_map(figure, o);
  } else {
    figure.kind = kinds.at(kind);
    for (const auto& series : o.value("series")) figure.series.push_back(series_of(series));
    figure.horizontal_lines = numbers(o.value("horizontal_lines"));
  }
  if (o.has("x_label") && !o.text("x_label").empty()) figure.x_label = o.text("x_label");
  if (o.has("y_label") && !o.text("y_label").empty()) figure.y_label = o.text("y_label");
  return figure;
}

}  // namespace tsrun
