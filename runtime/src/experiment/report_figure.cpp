#include "experiment/report_figure.h"

#include "experiment/report_text.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

namespace tsrun {

namespace {

void check(const Figure& figure) {
  static constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  if (figure.name.empty() || figure.name.find_first_not_of(allowed) != std::string::npos) {
    user_error("figure '{}': expected a name of letters, digits, '_' and '-'", figure.name);
  }
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

void say_once_that_gnuplot_is_missing() {
  static std::once_flag said;
  std::call_once(said, [] { log_warning("gnuplot is not installed: figures are left out (their data and scripts are written)"); });
}

}  // namespace

std::optional<std::filesystem::path> draw(const Figure& figure, const std::filesystem::path& folder) {
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

}  // namespace tsrun
