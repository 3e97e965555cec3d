#include "report/grid.h"

#include "tsrun/data/metrics.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace tsrun {

namespace report {

namespace {

double best_of(const std::vector<VariantSummary>& rows, double VariantSummary::*mean, const std::string& metric) {
  if (rows.empty()) return 0;
  const bool higher = higher_is_better(metric);
  double found = higher ? -HUGE_VAL : HUGE_VAL;
  for (const auto& row : rows) found = higher ? std::max(found, row.*mean) : std::min(found, row.*mean);
  return found;
}

std::string steps_text(int64_t steps) { return steps == 0 ? "" : count(steps); }

/// A column of Effort.
struct EffortColumn {
  const char* name;
  char alignment;
  std::string (*text)(const Effort&);
};

const EffortColumn kEffortColumns[] = {
    {"steps", 'r', [](const Effort& effort) { return steps_text(effort.steps); }},
    {"steps before", 'r', [](const Effort& effort) { return steps_text(effort.before); }},
    {"search", 'r', [](const Effort& effort) { return steps_text(effort.search); }},
    {"reach", 'r', [](const Effort& effort) { return effort.reach ? fmt::format("{:.2f}", *effort.reach) : std::string(); }},
    {"rates", 'l', [](const Effort& effort) { return one_line(effort.rates); }},
};

/// Columns that some row fills.
std::vector<EffortColumn> effort_columns(const std::vector<VariantSummary>& rows) {
  std::vector<EffortColumn> columns;
  for (const EffortColumn& column : kEffortColumns)
    if (std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return !column.text(row.effort).empty(); })) columns.push_back(column);
  return columns;
}

std::vector<std::vector<Cell>>& lines_of(Grid& grid, const std::string& heading) {
  auto found = std::find_if(grid.sections.begin(), grid.sections.end(), [&](const Section& section) { return section.heading == heading; });
  if (found == grid.sections.end()) found = grid.sections.insert(grid.sections.end(), {heading, {}});
  return found->lines;
}

}  // namespace

Grid grid_of(const TableHead& head, const std::vector<VariantSummary>& rows) {
  Grid grid;
  grid.columns = {"variant", "n", head.metric + " (last)", head.metric + " (best)"};
  grid.alignment = "lrrr";
  const auto add_columns = [&](std::initializer_list<const char*> names) {
    grid.columns.insert(grid.columns.end(), names.begin(), names.end());
    grid.alignment.append(names.size(), 'r');
  };
  // Perplexity predicts distributions, which have none.
  const bool predicts = std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.top_answer_share > 0; });
  if (predicts) add_columns({"most frequent"});
  add_columns({"trainable", "dof", "shipped"});
  const bool spans = std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.bytes_coordinates > 0; });
  if (spans) add_columns({"basis", "coordinates"});
  const std::vector<EffortColumn> effort = effort_columns(rows);
  for (const EffortColumn& column : effort) grid.columns.emplace_back(column.name), grid.alignment += column.alignment;
  const double last = best_of(rows, &VariantSummary::last_mean, head.metric), best = best_of(rows, &VariantSummary::best_mean, head.metric);
  for (const auto& row : rows) {
    auto& lines = lines_of(grid, row.section);
    lines.push_back({{one_line(row.variant)},
                     {std::to_string(row.n)},
                     {mean_and_deviation(row.last_mean, row.last_deviation, row.n), row.last_mean == last},
                     {mean_and_deviation(row.best_mean, row.best_deviation, row.n), row.best_mean == best}});
    if (predicts) lines.back().push_back({percent(row.top_answer_share)});
    lines.back().insert(lines.back().end(), {{count(row.trainable)}, {count(row.degrees_of_freedom)}, {bytes(row.bytes_shipped)}});
    const bool within = row.bytes_coordinates > 0;
    if (spans) lines.back().push_back({within ? bytes(row.bytes_basis) : "–"});
    if (spans) lines.back().push_back({within ? bytes(row.bytes_coordinates) : "–"});
    for (const EffortColumn& column : effort) lines.back().push_back({column.text(row.effort)});
  }
  return grid;
}

std::string seeds_in_words(const std::vector<VariantSummary>& rows) {
  if (rows.empty()) return "no seeds";
  const auto [fewest, most] = std::minmax_element(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.n < b.n; });
  if (fewest->n == most->n) return most->n == 1 ? "1 seed" : fmt::format("{} seeds", most->n);
  return fmt::format("{} to {} seeds", fewest->n, most->n);
}

std::string legend() {
  return "Scores are mean ± sample deviation over n seeds, after the last epoch (last) and at the best checkpoint (best), which was "
         "chosen on this same split. most frequent: share of the most frequent prediction. trainable: parameters the optimiser owns. "
         "dof: the same, copies counted once. shipped: what somebody who has the origin must be sent; of it the basis, which solutions "
         "of other tasks may share, and the coordinates. steps: of the optimiser. steps before: of the trainings that a row rests on, "
         "such as a basis's trajectory. search: of all trainings that picked its learning rates on dev. reach: how far coordinates "
         "could travel, over the way to the update they were to reach.";
}

}  // namespace report

std::string table_as_text(const TableHead& head, const std::vector<VariantSummary>& rows) {
  using namespace report;
  return fmt::format("{}\nmodel {}   task {}   split {}   metric {}   {}   majority {}\n\n{}", head.title, head.model, head.task,
                     head.split, head.metric, seeds_in_words(rows), score(head.majority_score), grid_as_text(grid_of(head, rows)));
}

std::string table_as_csv(const TableHead& head, const std::vector<VariantSummary>& rows) {
  using report::quote_csv;
  std::string out =
      "section,variant,model,task,split,metric,majority_score,n,last_mean,last_deviation,best_mean,best_deviation,top_answer_share,"
      "trainable,"
      "degrees_of_freedom,bytes_shipped,bytes_basis,bytes_coordinates,last_by_seed,best_by_seed,steps,steps_before,search_steps,reach_"
      "share,rates\n";
  for (const auto& row : rows) {
    const auto deviation = [&](double value) { return row.n < 2 ? std::string() : fmt::format("{}", value); };
    out +=
        fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", quote_csv(row.section),
                    quote_csv(row.variant), quote_csv(head.model), quote_csv(head.task), quote_csv(head.split), quote_csv(head.metric),
                    head.majority_score, row.n, row.last_mean, deviation(row.last_deviation), row.best_mean, deviation(row.best_deviation),
                    row.top_answer_share, row.trainable, row.degrees_of_freedom, row.bytes_shipped, row.bytes_basis, row.bytes_coordinates,
                    fmt::join(row.last_by_seed, " "), fmt::join(row.best_by_seed, " "), row.effort.steps, row.effort.before,
                    row.effort.search, row.effort.reach ? fmt::format("{}", *row.effort.reach) : "", quote_csv(row.effort.rates));
  }
  return out;
}

std::string table_as_markdown(const TableHead& head, const std::vector<VariantSummary>& rows) {
  using namespace report;
  return fmt::format("**{}**\n\nmodel {}, task {}, split {}, metric {}, {}, majority {}\n\n{}", escape_markdown(head.title),
                     escape_markdown(head.model), escape_markdown(head.task), escape_markdown(head.split), escape_markdown(head.metric),
                     seeds_in_words(rows), score(head.majority_score), grid_as_markdown(grid_of(head, rows)));
}

std::string table_as_latex(const TableHead& head, const std::vector<VariantSummary>& rows) {
  using namespace report;
  const std::string caption = fmt::format("{}. Model {}, task {}, split {}, metric {}, {}, majority {}.", escape_latex(head.title),
                                          escape_latex(head.model), escape_latex(head.task), escape_latex(head.split),
                                          escape_latex(head.metric), seeds_in_words(rows), score(head.majority_score));
  return grid_as_latex(grid_of(head, rows), caption);
}

}  // namespace tsrun
