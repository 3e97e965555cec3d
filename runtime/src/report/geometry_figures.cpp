#include "report/geometry_figures.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <fmt/format.h>

#include <algorithm>

namespace tsrun::report {

namespace {

using nlohmann::json;

const json& part_of(const json& geometry, bool centred) { return centred ? geometry.at("centred") : geometry; }

void add_sentence(std::string& caption, const std::string& sentence) { caption += (caption.empty() ? "" : " ") + sentence; }

/// Whether a bucket has more vectors than `most`.
bool any_larger(const json& buckets, int64_t most) {
  return std::any_of(buckets.begin(), buckets.end(), [&](const json& bucket) { return bucket.at("rows").get<int64_t>() > most; });
}

/// Cuts the bins at both ends that are empty in all histograms, but for one at each end.
void leave_out_empty_ends(std::vector<Figure::Series>& histograms) {
  const auto bins = static_cast<std::ptrdiff_t>(histograms.front().y.size());
  std::ptrdiff_t begin = bins, end = 0;
  for (const auto& series : histograms) {
    for (std::ptrdiff_t i = 0; i < bins; ++i)
      if (series.y[static_cast<size_t>(i)] > 0) begin = std::min(begin, i), end = std::max(end, i + 1);
  }
  if (end == 0) return;
  begin = std::max<std::ptrdiff_t>(0, begin - 1), end = std::min(bins, end + 1);
  for (auto& series : histograms) {
    for (auto* list : {&series.x, &series.y}) *list = std::vector(list->begin() + begin, list->begin() + end);
  }
}

/// A metric's number of one step; an undefined one has none.
void add_point(Figure::Series& series, const json& point, const std::string& metric, bool centred, const std::string& figure) {
  const json& numbers = part_of(point, centred);
  const auto found = numbers.find(metric);
  if (found != numbers.end() && !found->is_null() && !found->is_number())
    user_error("figure '{}': metric '{}' is no number", figure, metric);
  if (found != numbers.end() && found->is_number()) {
    series.x.push_back(point.at("step").get<double>());
    series.y.push_back(found->get<double>());
  }
}

std::vector<std::string> metrics_of(const json& point) {
  std::vector<std::string> names;
  for (const auto& [name, value] : point.items())
    if (value.is_number() && name != "step" && name != "epoch") names.push_back(name);
  return names;
}

}  // namespace

void draw_geometry_spectra(Figure& figure, const json& geometries, bool centred) {
  figure.kind = Figure::Kind::lines;
  figure.log_y = true;
  figure.x_label = "direction";
  figure.y_label = "singular value / largest";
  for (const auto& [name, geometry] : geometries.items()) {
    Figure::Series series;
    series.name = name;
    const auto values = part_of(geometry, centred).at("spectrum").get<std::vector<double>>();
    for (size_t i = 0; i < values.size(); ++i) {
      series.x.push_back(static_cast<double>(i + 1));
      series.y.push_back(values[i]);
    }
    figure.series.push_back(std::move(series));
  }
}

void draw_cosines(Figure& figure, const json& geometry, bool centred) {
  figure.kind = Figure::Kind::lines;
  figure.x_label = centred ? "cosine of a pair, centred" : "cosine of a pair";
  figure.y_label = "share of the pairs";
  const json& buckets = geometry.at("buckets");
  for (const json& bucket : buckets) {
    Figure::Series series;
    series.name = bucket.at("name").get<std::string>();
    series.y = part_of(bucket, centred).at("cosines").get<std::vector<double>>();
    const auto bins = static_cast<double>(series.y.size());
    for (size_t i = 0; i < series.y.size(); ++i) series.x.push_back((2 * static_cast<double>(i) + 1) / bins - 1);
    figure.series.push_back(std::move(series));
  }
  leave_out_empty_ends(figure.series);
  const auto most = geometry.at("pair_rows").get<int64_t>();
  if (any_larger(buckets, most)) add_sentence(figure.caption, fmt::format("Pairs of {} evenly spaced vectors of larger buckets.", most));
}

void draw_projection(Figure& figure, const json& geometry) {
  figure.kind = Figure::Kind::points;
  figure.x_label = "first principal direction";
  figure.y_label = "second";
  const json& buckets = geometry.at("buckets");
  for (const json& bucket : buckets)
    figure.series.push_back({.name = bucket.at("name").get<std::string>(),
                             .labels = {},
                             .x = bucket.at("x").get<std::vector<double>>(),
                             .y = bucket.at("y").get<std::vector<double>>(),
                             .panel = {},
                             .horizontal_lines = {}});
  const auto most = geometry.at("cloud_rows").get<int64_t>();
  if (any_larger(buckets, most)) add_sentence(figure.caption, fmt::format("{} evenly spaced vectors of larger buckets.", most));
}

void draw_geometry_path(Figure& figure, const json& runs, const std::string& metric, bool centred) {
  figure.kind = Figure::Kind::lines;
  figure.x_label = "step";
  figure.y_label = metric + (centred ? ", centred" : "");
  for (const auto& [name, run] : runs.items()) {
    const json points = run.value("geometry", json::array());
    if (points.empty())
      user_error("figure '{}': the training '{}' recorded no geometry; expected one with geometry_every", figure.name, name);
    Figure::Series series;
    series.name = name;
    for (const json& point : points) add_point(series, point, metric, centred, figure.name);
    if (series.y.empty()) {
      const auto known = metrics_of(points.front());
      user_error("figure '{}': no number is called '{}'{}; there are {}", figure.name, metric, did_you_mean(metric, known),
                 join_words(known));
    }
    figure.series.push_back(std::move(series));
  }
}

}  // namespace tsrun::report
