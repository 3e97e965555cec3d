#pragma once

#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// Tables, figures and the report page of a run. Everything is a function of plain data, so a report can be made again from run.json.
namespace tsrun {

/// What a result cost in optimiser steps, and how far its coordinates could travel. Columns that no row needs are not shown.
struct Effort {
  int64_t steps = 0;                 ///< of the training itself
  int64_t before = 0;                ///< of the trainings that it rests on: a basis's trajectory, an origin
  int64_t search = 0;                ///< of the search for its learning rates
  std::optional<double> reach = {};  ///< way over distance of a subspace's coordinates, the smallest of its groups
  std::string rates;                 ///< learning rates that a search picked: "lr 0.001, lr_head 0.01"
};

/// One result of one seed (report:row).
struct ReportRow {
  std::string variant;  ///< "intrinsic delta d=16"; rows of one variant are aggregated over seeds
  std::string section;  ///< heading above the variant; "": none
  int64_t seed = 0;
  double best = 0, last = 0;    ///< first metric
  double top_answer_share = 0;  ///< at `last`
  int64_t trainable = 0, degrees_of_freedom = 0, bytes_shipped = 0;
  Effort effort = {};
  int64_t bytes_basis = 0, bytes_coordinates = 0;  ///< of bytes_shipped: the subspace, and z; no coordinates: no subspace
  bool trained = true;                             ///< false: evaluated without training, best equals last
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
  double top_answer_share = 0;
  int64_t trainable = 0, degrees_of_freedom = 0, bytes_shipped = 0;
  Effort effort = {};  ///< the largest numbers of steps and the smallest reach over the seeds
  int64_t bytes_basis = 0, bytes_coordinates = 0;
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

/// Effort as a key of JSON, without what is not known.
nlohmann::json to_json(const Effort& effort);
Effort effort_from_json(const nlohmann::json& json);

/// A comparison of two rows that a recipe claims (ts.claim): of scores where more is better, of their negatives otherwise.
struct Claim {
  enum class Kind {
    better,        ///< `row` beats `than` by more than `margin`
    not_worse,     ///< `row` falls short of `than` by less than `margin`
    no_different,  ///< `row` and `than` differ by less than `margin`
  } kind = Kind::better;
  std::string text, source;  ///< a sentence, and where it is claimed; the source may be empty
  std::string row, than;     ///< variants
  double margin = 0;
  bool best = false;                                      ///< of the best checkpoints; otherwise of the last ones
  double level = 0.95;                                    ///< of the interval
  std::vector<double> row_scores = {}, than_scores = {};  ///< pairs in place of the rows' scores by seed, more is better; empty: the rows'
  std::string over = "seeds";                             ///< what a pair is one of
  std::string section = {};                               ///< heading of the claims that follow one another with it; may be empty
  std::string moot = {};                                  ///< why no numbers can decide it; empty: they can
};

/// A claim against the rows. The interval is Student's over the differences of seeds that both rows have; with one such seed there is
/// none. Differences have at least the deviation of two scores that are rounded to whole rows of the split, so that two seeds that
/// happen to agree decide nothing. A moot claim is open.
struct JudgedClaim {
  enum class Verdict { supported, contradicted, open } verdict = Verdict::open;
  Claim claim;
  int64_t n = 0;                                  ///< seeds that both rows have
  double row_mean = 0, than_mean = 0;             ///< scores as the table has them
  double difference = 0;                          ///< mean of row − than, more is better
  std::optional<std::array<double, 2>> interval;  ///< of the difference
};

/// `resolution`: what one row of the split changes of a score. @throws Error(user) for a claim about a row that is not there, with the near
/// miss, about one that stands in two sections, and about rows that share no seed
JudgedClaim judge(const Claim& claim, const std::vector<ReportRow>& rows, const std::string& metric, double resolution);
/// @throws Error(user) as `judge`, for a name that no variant has
void require_variants(const Claim& claim, const std::vector<std::string>& variants);

std::string claims_as_text(const std::vector<JudgedClaim>& claims);      ///< a line each, under their sections; "" for none
std::string claims_as_markdown(const std::vector<JudgedClaim>& claims);  ///< lists
nlohmann::json claims_as_json(const std::vector<JudgedClaim>& claims);
/// Inverse of claims_as_json, but for scores that the recipe paired by itself. @throws Error(data)
std::vector<JudgedClaim> claims_from_json(const nlohmann::json& json);

/// A table of a recipe's own columns, beside the table of rows; cells may be empty.
struct FreeTable {
  struct Entry {
    enum class Kind { empty, words, whole, number, spread } kind = Kind::empty;
    std::string words;
    double value = 0, deviation = 0;  ///< a number, or mean and sample deviation
    int64_t n = 0;                    ///< number of values behind a mean; 0: unknown. One value has no deviation
  };
  std::string name;  ///< file stem
  std::string caption, note;
  std::vector<std::string> columns;
  std::vector<int> digits;  ///< decimals of each column; columns of whole numbers have none
  std::vector<std::vector<Entry>> rows;
};
std::string table_as_text(const FreeTable& table);
std::string table_as_csv(const FreeTable& table);  ///< full precision; columns of means are followed by deviation and n
std::string table_as_markdown(const FreeTable& table);
std::string table_as_latex(const FreeTable& table);

/// Resources of one row of one seed. Times and memory differ between runs of the same recipe, so they have a table of their own and never
/// enter `table.*` or metrics.jsonl.
struct ResourceRow {
  std::string variant;
  std::string key;  ///< of the stage, which counts once
  double seconds = 0;
  int64_t peak_memory_bytes = 0, memory_before_bytes = 0;  ///< 0: not known
  std::string machine;                                     ///< "host name, 2 threads"
  int64_t trainable = 0, bytes_shipped = 0;
  double step_seconds = 0;                                               ///< mean of a step; 0: not known
  std::optional<double> trainable_share, forward_share, backward_share;  ///< of the model's numbers, and of its layers' work
};
FreeTable resource_table(const std::vector<ResourceRow>& rows);  ///< named "resources"; a line a variant

/// A figure: data and a gnuplot script beside the SVG, so that anybody can restyle it. Colours follow the page's light or dark theme.
///
///   dots       categories down the page: labels[i] has the value y[i]; repeat a label for several seeds, their mean is marked.
///   bars       one value a label; several series side by side.
///   lines      y over x, one curve a series.
///   points     every x and y as a point, one colour a series.
///   positions  y along x (positions 0, 1, … when x is empty), as blocks' extremes; series with the same `panel` side by side.
///   scatter    a named point a series: the means of its x and y, with sample deviations as bars where there are several values.
///   landscape  heat maps of one scale over one plane, with named points and the cells at or above a threshold outlined.
///   heat_map   a number for every pair of a row and a column, written on its colour.
///
/// The names of several dots series are headings, as sections of a table.
struct Figure {
  std::string name;  ///< file stem
  std::string caption;
  enum class Kind { dots, lines, points, positions, bars, scatter, landscape, heat_map } kind = Kind::dots;
  std::string x_label, y_label;
  bool log_x = false, log_y = false;  ///< log_x: `lines`, `points` and `scatter`; log_y: `lines` and `points`
  bool frontier = false;              ///< `scatter`: joins the Pareto-optimal points (less x, more y)
  struct Series {
    std::string name;
    std::vector<std::string> labels;  ///< category names (dots, bars)
    std::vector<double> x, y;
    std::string panel;                     ///< `positions`: row of small multiples; empty: a row of its own, named after the series
    std::vector<double> horizontal_lines;  ///< `positions`: thresholds of this series; values beyond them are highlighted
  };
  std::vector<Series> series;
  std::vector<double> horizontal_lines;  ///< majority score, ±3σ
  struct Landscape {
    struct Panel {
      std::string name;
      std::vector<std::vector<double>> values;  ///< a row for every y from the lowest up, with a value for every x; NaN: none
    };
    struct Mark {
      std::string name;
      double x = 0, y = 0;
    };
    std::vector<Panel> panels;
    std::vector<Mark> marks;
    std::array<double, 2> x{}, y{};  ///< positions of the first and the last column and row
    std::optional<double> threshold;
    std::string scale;  ///< meaning of the colours
  } landscape;
  struct HeatMap {
    std::vector<std::string> columns, rows;   ///< names, from the left and from the top
    std::vector<std::vector<double>> values;  ///< a row for every name of `rows`; NaN: an empty cell
    int digits = 1;
  } heat_map;
};
/// Writes name.dat, name.gp, name.svg into `folder`. @throws Error(run) with gnuplot's own words; a missing gnuplot is said once and
/// skipped.
std::optional<std::filesystem::path> draw_figure(const Figure& figure, const std::filesystem::path& folder);

/// The figure of a table: the last score of every seed, section by section, with the majority-class score as a line.
Figure score_figure(const TableHead& head, const std::vector<VariantSummary>& rows);
/// Score against the measured time of a step, a point a variant; variants without a time are left out.
Figure cost_figure(const TableHead& head, const std::vector<VariantSummary>& rows, const std::vector<ResourceRow>& resources);

struct ReportPage {
  TableHead head;
  std::vector<JudgedClaim> claims;  ///< above everything else
  std::vector<VariantSummary> rows;
  std::vector<FreeTable> tables;     ///< if there are any, `rows` may be empty
  std::vector<FreeTable> modules;    ///< one, or none
  std::vector<FreeTable> resources;  ///< one, or none
  std::vector<Figure> figures;
  std::vector<std::string> notes;  ///< paragraphs: warnings, effects of masks, readings
  nlohmann::json run;              ///< run.json
};
/// Writes table.txt, table.csv, table.md, table.tex, the other tables as NAME.csv, NAME.md, NAME.tex, the figures, and one self-contained
/// report.html; returns the page's path. @throws Error(user) when two tables or two figures would share a file.
std::filesystem::path write_report(const ReportPage& page, const std::filesystem::path& folder);

}  // namespace tsrun
