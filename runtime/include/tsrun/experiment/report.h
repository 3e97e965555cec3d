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
  std::string variant;       ///< "intrinsic delta d=16"; rows of one variant are aggregated over seeds
  std::string section;       ///< heading the variant stands under; "" for none
  int64_t seed = 0;
  double best = 0, last = 0;               ///< first metric
  double commonest_share = 0;              ///< at `last`
  int64_t trainable = 0, degrees_of_freedom = 0, bytes_shipped = 0;
  bool trained = true;                     ///< false: evaluated as it is, best equals last
};

struct TableHead {
  std::string title;                       ///< "Outlier dimensions in the intrinsic subspace"
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
std::vector<VariantSummary> summarise(const std::vector<ReportRow>& rows);  ///< in order of first appearance

std::string table_as_text(const TableHead& head, const std::vector<VariantSummary>& rows);
std::string table_as_csv(const TableHead& head, const std::vector<VariantSummary>& rows);
std::string table_as_markdown(const TableHead& head, const std::vector<VariantSummary>& rows);
std::string table_as_latex(const TableHead& head, const std::vector<VariantSummary>& rows);  ///< booktabs

/// A figure: data and a gnuplot script beside the SVG, so that anybody can restyle it. Colours follow the page's light or dark theme.
struct Figure {
  std::string name;      ///< file stem
  std::string caption;
  enum class Kind { dots, lines, positions, bars } kind = Kind::dots;
  std::string x_label, y_label;
  bool log_y = false;
  struct Series {
    std::string name;
    std::vector<std::string> labels;       ///< category names (dots, bars)
    std::vector<double> x, y;
  };
  std::vector<Series> series;
  std::vector<double> horizontal_lines;    ///< majority score, ±3σ
  int64_t panels = 1;                      ///< `positions`: one panel a series when > 1
};
/// Writes name.dat, name.gp, name.svg into `folder`. @throws Error(run) with gnuplot's own words; a missing gnuplot is said once and skipped.
std::optional<std::filesystem::path> draw(const Figure& figure, const std::filesystem::path& folder);

struct ReportPage {
  TableHead head;
  std::vector<VariantSummary> rows;
  std::vector<Figure> figures;
  std::vector<std::string> notes;          ///< paragraphs: warnings, what a mask held, readings
  nlohmann::json run;                      ///< run.json
};
/// Writes table.txt, table.csv, table.md, table.tex, the figures, and one self-contained report.html; returns the page's path.
std::filesystem::path write_report(const ReportPage& page, const std::filesystem::path& folder);

}  // namespace tsrun
