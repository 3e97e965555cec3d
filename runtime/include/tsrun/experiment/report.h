#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// Tables, figures and the report page of a run. Everything is a function of plain data, so a report can be made again from run.json.
namespace tsrun {

/// One result of one seed, as a recipe adds it with report:row.
struct ReportRow {
  std::string variant;  ///< "intrinsic delta d=16"; rows of one variant are aggregated over seeds
  std::string section;  ///< heading the variant stands under; "" for none
  int64_t seed = 0;
  double best = 0, last = 0;   ///< first metric
  double commonest_share = 0;  ///< at `last`
  int64_t trainable = 0, degrees_of_freedom = 0, bytes_shipped = 0;
  bool trained = true;  ///< false: evaluated as it is, best equals last
};

struct TableHead {
  std::string title;  ///< "Outlier dimensions in the intrinsic subspace"
  std::string model, task, split, metric;
  double majority_score = 0;
};

struct VariantSummary {
  std::string variant, section;
  int64_t n = 0;
  double best_mean = 0, best_deviation = 0, last_mean = 0, last_deviation = 0;  ///< sample deviation; 0 and shown as "–" when n = 1
  double commonest_share = 0;
  int64_t trainable = 0, degrees_of_freedom = 0, bytes_shipped = 0;
  std::vector<double> best_by_seed, last_by_seed;
};
/// One summary a (section, variant), in order of first appearance; seeds ascending, so that the order in which processes finish does not
/// show. Counts are the largest over the seeds. @throws Error(user) when a variant has two different rows for one seed.
std::vector<VariantSummary> summarise(const std::vector<ReportRow>& rows);

std::string table_as_text(const TableHead& head, const std::vector<VariantSummary>& rows);
std::string table_as_csv(const TableHead& head, const std::vector<VariantSummary>& rows);
std::string table_as_markdown(const TableHead& head, const std::vector<VariantSummary>& rows);
std::string table_as_latex(const TableHead& head, const std::vector<VariantSummary>& rows);  ///< booktabs
nlohmann::json table_as_json(const TableHead& head, const std::vector<VariantSummary>& rows);

struct ResultTable {
  TableHead head;
  std::vector<VariantSummary> rows;
};
ResultTable table_from_json(const nlohmann::json& json);  ///< inverse of table_as_json. @throws Error(data)

/// A figure: data and a gnuplot script beside the SVG, so that anybody can restyle it. Colours follow the page's light or dark theme.
///
///   dots       categories down the page: labels[i] has the value y[i]; repeat a label for several seeds, their mean is marked.
///   bars       the same with one value a label; several series stand side by side.
///   lines      y over x, one curve a series.
///   positions  y along x (positions 0, 1, … when x is empty), as blocks' extremes; series with the same `panel` stand side by side.
///
/// The names of several dots series are headings, so that sections of a table stay together.
struct Figure {
  std::string name;  ///< file stem
  std::string caption;
  enum class Kind { dots, lines, positions, bars } kind = Kind::dots;
  std::string x_label, y_label;
  bool log_y = false;
  struct Series {
    std::string name;
    std::vector<std::string> labels;  ///< category names (dots, bars)
    std::vector<double> x, y;
    std::string panel;                     ///< `positions`: row of small multiples; empty: a row of its own, named after the series
    std::vector<double> horizontal_lines;  ///< `positions`: thresholds of this series alone; what lies beyond them is set off
  };
  std::vector<Series> series;
  std::vector<double> horizontal_lines;  ///< majority score, ±3σ
};
/// Writes name.dat, name.gp, name.svg into `folder`. @throws Error(run) with gnuplot's own words; a missing gnuplot is said once and
/// skipped.
std::optional<std::filesystem::path> draw(const Figure& figure, const std::filesystem::path& folder);

/// The figure of a table: the last score of every seed, section by section, with the majority-class score as a line.
Figure score_figure(const TableHead& head, const std::vector<VariantSummary>& rows);

struct ReportPage {
  TableHead head;
  std::vector<VariantSummary> rows;
  std::vector<Figure> figures;
  std::vector<std::string> notes;  ///< paragraphs: warnings, what a mask held, readings
  nlohmann::json run;              ///< run.json
};
/// Writes table.txt, table.csv, table.md, table.tex, the figures, and one self-contained report.html; returns the page's path.
std::filesystem::path write_report(const ReportPage& page, const std::filesystem::path& folder);

}  // namespace tsrun
