#include "report/figure.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <set>

namespace tsrun {

namespace {

void check_series(const Figure& figure) {
  if (figure.series.empty()) user_error("figure '{}' has no series", figure.name);
  const bool labelled = figure.kind == Figure::Kind::dots || figure.kind == Figure::Kind::bars;
  for (const auto& series : figure.series) {
    const size_t partners = labelled ? series.labels.size() : series.x.size();
    const bool implied = figure.kind == Figure::Kind::positions && partners == 0;
    if (!implied && partners != series.y.size()) {
      user_error("figure '{}', series '{}': {} {} for {} values of y", figure.name, series.name, partners,
                 labelled ? "labels" : "values of x", series.y.size());
    }
  }
}

void check_landscape(const Figure& figure) {
  const auto& landscape = figure.landscape;
  if (landscape.panels.empty()) user_error("figure '{}' has no panels", figure.name);
  for (size_t axis = 0; axis < 2; ++axis) {
    const auto& range = axis == 0 ? landscape.x : landscape.y;
    if (!(range[0] < range[1]))
      user_error("figure '{}': {} goes from {} to {}, expected the lower end first", figure.name, axis == 0 ? "x" : "y", range[0],
                 range[1]);
  }
  const auto& first = landscape.panels.front().values;
  for (const auto& panel : landscape.panels) {
    if (panel.values.size() != first.size() || panel.values.size() < 2)
      user_error("figure '{}', panel '{}': {} rows of values, expected at least 2 and the same number in every panel ({} in '{}')",
                 figure.name, panel.name, panel.values.size(), first.size(), landscape.panels.front().name);
    for (size_t i = 0; i < panel.values.size(); ++i) {
      if (panel.values[i].size() != first.front().size() || panel.values[i].size() < 2)
        user_error("figure '{}', panel '{}': row {} has {} values, expected at least 2 and the same number in every row ({} in the first)",
                   figure.name, panel.name, i + 1, panel.values[i].size(), first.front().size());
    }
  }
}

void check_heat_map(const Figure& figure) {
  const auto& map = figure.heat_map;
  if (map.rows.empty() || map.columns.empty()) user_error("figure '{}' has no rows or no columns", figure.name);
  if (map.values.size() != map.rows.size())
    user_error("figure '{}': {} rows of values for {} names of rows", figure.name, map.values.size(), map.rows.size());
  for (size_t i = 0; i < map.rows.size(); ++i) {
    if (map.values[i].size() != map.columns.size())
      user_error("figure '{}', row '{}': {} values for {} columns", figure.name, map.rows[i], map.values[i].size(), map.columns.size());
  }
}

void check(const Figure& figure) {
  report::check_file_stem("figure", figure.name);
  if (figure.kind == Figure::Kind::landscape) {
    check_landscape(figure);
  } else if (figure.kind == Figure::Kind::heat_map) {
    check_heat_map(figure);
  } else {
    check_series(figure);
  }
}

void say_once_that_gnuplot_is_missing() {
  static std::once_flag said;
  std::call_once(said, [] { log_warning("gnuplot is not installed: figures are left out (their data and scripts are written)"); });
}

/// What all names end with from a comma on, as ", lr 0.0002"; empty where they differ or nothing would be left of one.
std::string common_ending(const std::vector<Figure::Series>& series) {
  if (series.size() < 2) return "";
  const std::string& first = series.front().name;
  for (size_t comma = first.find(", "); comma != std::string::npos; comma = first.find(", ", comma + 1)) {
    const std::string ending = first.substr(comma);
    const bool shared = std::all_of(series.begin(), series.end(),
                                    [&](const auto& one) { return one.name.size() > ending.size() && one.name.ends_with(ending); });
    if (shared) return ending;
  }
  return "";
}

}  // namespace

void report::check_file_stem(std::string_view what, const std::string& name) {
  static constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  if (name.empty() || name.find_first_not_of(allowed) != std::string::npos)
    user_error("{} '{}': expected a name of letters, digits, '_' and '-'", what, name);
}

std::optional<std::filesystem::path> draw_figure(const Figure& figure, const std::filesystem::path& folder) {
  check(figure);
  std::filesystem::create_directories(folder);
  const report::Script script = report::script_of(figure);
  write_durable(folder / (figure.name + ".dat"), script.data);
  write_durable(folder / (figure.name + ".gp"), script.commands);
  const auto path = folder / (figure.name + ".svg");
  const report::Outcome outcome = report::run_program({"gnuplot", "-d", figure.name + ".gp"}, folder);
  if (!outcome.found) {
    say_once_that_gnuplot_is_missing();
    return std::nullopt;
  }
  if (!outcome.succeeded || !std::filesystem::exists(path)) {
    run_error("{}: gnuplot failed: {}", (folder / (figure.name + ".gp")).string(), outcome.words);
  }
  write_durable(path, report::themed_svg(read_text(path), script, figure.caption));
  return path;
}

Figure score_figure(const TableHead& head, const std::vector<VariantSummary>& rows) {
  Figure figure;
  figure.name = "scores";
  figure.kind = Figure::Kind::dots;
  figure.x_label = head.metric + " (last)";
  figure.caption = fmt::format("{} on {} after the last epoch. Each dot is a seed, each tick a mean", head.metric, head.split);
  if (std::isnan(head.majority_score)) {
    figure.caption += ".";
  } else {
    figure.horizontal_lines = {head.majority_score};
    figure.caption += fmt::format("; the dashed line is the majority-class score ({}).", report::score(head.majority_score));
  }
  for (const auto& row : rows) {
    auto series = std::find_if(figure.series.begin(), figure.series.end(), [&](const auto& s) { return s.name == row.section; });
    if (series == figure.series.end()) {
      series = figure.series.insert(figure.series.end(), Figure::Series{});
      series->name = row.section;
    }
    for (double value : row.last_by_seed) {
      series->labels.push_back(row.variant);
      series->y.push_back(value);
    }
  }
  return figure;
}

Figure cost_figure(const TableHead& head, const std::vector<VariantSummary>& rows, const std::vector<ResourceRow>& resources) {
  Figure figure;
  figure.name = "cost";
  figure.kind = Figure::Kind::scatter;
  figure.x_label = "milliseconds of a step";
  figure.y_label = head.metric + " (last)";
  for (const VariantSummary& row : rows) {
    Figure::Series series;
    series.name = row.variant;
    std::set<std::string> keys;
    for (const ResourceRow& resource : resources)
      if (resource.variant == row.variant && resource.step_seconds > 0 && keys.insert(resource.key).second)
        series.x.push_back(1000 * resource.step_seconds);
    series.y = row.last_by_seed;
    if (!series.x.empty()) figure.series.push_back(std::move(series));
  }
  if (const std::string ending = common_ending(figure.series); !ending.empty()) {
    for (auto& series : figure.series) series.name.resize(series.name.size() - ending.size());
    figure.caption = fmt::format("All with {}.", ending.substr(2));
  }
  return figure;
}

}  // namespace tsrun
