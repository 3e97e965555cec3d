#include "report/json_number.h"

#include "tsrun/base/error.h"
#include "tsrun/report/report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun {

namespace {

struct Group {
  std::string section, variant;
  std::vector<const ReportRow*> rows;  ///< by ascending seed
};

bool same_result(const ReportRow& a, const ReportRow& b) {
  return a.best == b.best && a.last == b.last && a.top_answer_share == b.top_answer_share;
}

void add(Group& group, const ReportRow& row) {
  auto at =
      std::lower_bound(group.rows.begin(), group.rows.end(), row.seed, [](const ReportRow* a, int64_t seed) { return a->seed < seed; });
  if (at == group.rows.end() || (*at)->seed != row.seed) {
    group.rows.insert(at, &row);
  } else if (!same_result(**at, row)) {
    user_error("report: '{}' has two results for seed {} (last {} and {}), expected one row a seed; give each variant a name of its own",
               row.variant, row.seed, (*at)->last, row.last);
  }
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double centre = mean(values);
  double sum = 0;
  for (double value : values) sum += (value - centre) * (value - centre);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

void add(Effort& sum, const Effort& one) {
  sum.steps = std::max(sum.steps, one.steps);
  sum.before = std::max(sum.before, one.before);
  sum.search = std::max(sum.search, one.search);
  if (one.reach) sum.reach = std::min(*one.reach, sum.reach.value_or(*one.reach));
  if (sum.rates.find(one.rates) == std::string::npos) sum.rates += (sum.rates.empty() ? "" : "; ") + one.rates;
}

VariantSummary summary_of(const Group& group) {
  VariantSummary out;
  out.variant = group.variant;
  out.section = group.section;
  out.n = static_cast<int64_t>(group.rows.size());
  for (const ReportRow* row : group.rows) {
    out.best_by_seed.push_back(row->best);
    out.last_by_seed.push_back(row->last);
    out.top_answer_share += row->top_answer_share / static_cast<double>(out.n);
    out.trainable = std::max(out.trainable, row->trainable);
    out.degrees_of_freedom = std::max(out.degrees_of_freedom, row->degrees_of_freedom);
    out.bytes_shipped = std::max(out.bytes_shipped, row->bytes_shipped);
    add(out.effort, row->effort);
    out.bytes_basis = std::max(out.bytes_basis, row->bytes_basis);
    out.bytes_coordinates = std::max(out.bytes_coordinates, row->bytes_coordinates);
  }
  out.best_mean = mean(out.best_by_seed);
  out.last_mean = mean(out.last_by_seed);
  out.best_deviation = deviation(out.best_by_seed);
  out.last_deviation = deviation(out.last_by_seed);
  return out;
}

}  // namespace

std::vector<VariantSummary> summarise(const std::vector<ReportRow>& rows) {
  std::vector<Group> groups;
  for (const auto& row : rows) {
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.variant == row.variant && g.section == row.section; });
    if (group == groups.end()) group = groups.insert(groups.end(), {row.section, row.variant, {}});
    add(*group, row);
  }
  std::vector<VariantSummary> out;
  for (const auto& group : groups) out.push_back(summary_of(group));
  return out;
}

nlohmann::json to_json(const Effort& effort) {
  nlohmann::json json = {{"steps", effort.steps}, {"steps_before", effort.before}, {"search_steps", effort.search}};
  if (effort.reach) json["reach_share"] = *effort.reach;
  if (!effort.rates.empty()) json["rates"] = effort.rates;
  return json;
}

Effort effort_from_json(const nlohmann::json& json) {
  Effort effort{.steps = json.value("steps", int64_t{0}),
                .before = json.value("steps_before", int64_t{0}),
                .search = json.value("search_steps", int64_t{0}),
                .reach = {},
                .rates = json.value("rates", "")};
  if (const auto reach = json.find("reach_share"); reach != json.end()) effort.reach = reach->get<double>();
  return effort;
}

nlohmann::json table_as_json(const TableHead& head, const std::vector<VariantSummary>& rows) {
  nlohmann::json lines = nlohmann::json::array();
  for (const auto& row : rows) {
    lines.push_back({{"variant", row.variant},
                     {"section", row.section},
                     {"n", row.n},
                     {"best_mean", row.best_mean},
                     {"best_deviation", row.best_deviation},
                     {"last_mean", row.last_mean},
                     {"last_deviation", row.last_deviation},
                     {"top_answer_share", row.top_answer_share},
                     {"trainable", row.trainable},
                     {"degrees_of_freedom", row.degrees_of_freedom},
                     {"bytes_shipped", row.bytes_shipped},
                     {"effort", to_json(row.effort)},
                     {"bytes_basis", row.bytes_basis},
                     {"bytes_coordinates", row.bytes_coordinates},
                     {"best_by_seed", row.best_by_seed},
                     {"last_by_seed", row.last_by_seed}});
  }
  return {{"title", head.title}, {"model", head.model},   {"task", head.task},
          {"split", head.split}, {"metric", head.metric}, {"majority_score", head.majority_score},
          {"rows", lines}};
}

namespace {

using report::number_from;

std::vector<double> numbers_from(const nlohmann::json& values) {
  std::vector<double> out;
  for (const auto& value : values) out.push_back(number_from(value));
  return out;
}

}  // namespace

ResultTable table_from_json(const nlohmann::json& json) {
  ResultTable table;
  try {
    table.head = {json.at("title"), json.at("model"),  json.at("task"),
                  json.at("split"), json.at("metric"), number_from(json.at("majority_score"))};
    for (const auto& line : json.at("rows")) {
      table.rows.push_back({.variant = line.at("variant"),
                            .section = line.at("section"),
                            .n = line.at("n"),
                            .best_mean = number_from(line.at("best_mean")),
                            .best_deviation = number_from(line.at("best_deviation")),
                            .last_mean = number_from(line.at("last_mean")),
                            .last_deviation = number_from(line.at("last_deviation")),
                            .top_answer_share = number_from(line.at("top_answer_share")),
                            .trainable = line.at("trainable"),
                            .degrees_of_freedom = line.at("degrees_of_freedom"),
                            .bytes_shipped = line.at("bytes_shipped"),
                            .effort = effort_from_json(line.value("effort", nlohmann::json::object())),
                            .bytes_basis = line.value("bytes_basis", int64_t{0}),
                            .bytes_coordinates = line.value("bytes_coordinates", int64_t{0}),
                            .best_by_seed = numbers_from(line.at("best_by_seed")),
                            .last_by_seed = numbers_from(line.at("last_by_seed"))});
    }
  } catch (const nlohmann::json::exception& error) {
    data_error("table of a run: {}", error.what());
  }
  return table;
}

}  // namespace tsrun
