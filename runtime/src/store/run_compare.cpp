#include "tsrun/base/error.h"
#include "tsrun/report/report.h"
#include "tsrun/report/text.h"
#include "tsrun/store/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

namespace tsrun {

namespace {

std::string text_of(const nlohmann::json& value) {
  if (value.is_null()) return "–";
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string line(std::string_view name, const std::string& text) {
  return text.empty() ? std::string() : fmt::format("{:<12}{}\n", name, text);
}

std::string number(const nlohmann::json& run, const char* name, std::string (*spell)(double)) {
  const auto found = run.find(name);
  return found != run.end() && found->is_number() ? spell(found->get<double>()) : std::string();
}

std::string spell_bytes(double value) { return report::bytes(static_cast<int64_t>(value)); }

std::string recipe_of(const nlohmann::json& run) {
  const auto found = run.find("recipe");
  return found != run.end() && found->is_object() && found->contains("path") ? text_of((*found)["path"]) : std::string();
}

/// A page of a run, as run.json keeps it.
struct Report {
  std::string folder;  ///< inside the run's; "" for its own
  nlohmann::json inputs = nlohmann::json::object();
  std::vector<JudgedClaim> claims;
  std::optional<ResultTable> table;
};

Report report_from(const nlohmann::json& kept) {
  Report report{.folder = kept.value("folder", ""), .claims = {}, .table = {}};
  if (kept.contains("inputs")) report.inputs = {{"inputs", kept["inputs"]}};
  if (kept.contains("claims")) report.claims = claims_from_json(kept["claims"]);
  if (kept.contains("table")) report.table = table_from_json(kept["table"]);
  return report;
}

/// Those with a table. A run of before had one, in the record itself. @throws Error(data) naming its file
std::vector<Report> reports_of(const nlohmann::json& run, const std::filesystem::path& folder) {
  std::vector<Report> reports;
  try {
    for (const auto& kept : run.contains("reports") ? run["reports"] : nlohmann::json::array({run}))
      if (Report report = report_from(kept); report.table) reports.push_back(std::move(report));
  } catch (const Error& error) {
    data_error("{}: {}", (folder / "run.json").string(), error.what());
  } catch (const nlohmann::json::exception& error) {
    data_error("{}: reports: {}", (folder / "run.json").string(), error.what());
  }
  return reports;
}

const Report* find(const std::vector<Report>& reports, const std::string& folder) {
  const auto found = std::find_if(reports.begin(), reports.end(), [&](const Report& report) { return report.folder == folder; });
  return found == reports.end() ? nullptr : &*found;
}

const VariantSummary* find(const ResultTable& table, const VariantSummary& like) {
  for (const auto& row : table.rows) {
    if (row.variant == like.variant && row.section == like.section) return &row;
  }
  return nullptr;
}

/// Square root of the mean of the variances, weighted by degrees of freedom.
double pooled_deviation(const VariantSummary& a, const VariantSummary& b) {
  const double freedom = static_cast<double>(std::max<int64_t>(a.n + b.n - 2, 0));
  if (freedom == 0) return std::nan("");
  const auto part = [](const VariantSummary& s) { return static_cast<double>(s.n - 1) * s.last_deviation * s.last_deviation; };
  return std::sqrt((part(a) + part(b)) / freedom);
}

std::vector<std::vector<std::string>> joined(const ResultTable& a, const ResultTable& b) {
  std::vector<std::vector<std::string>> lines = {{"variant", "A (last)", "B (last)", "B - A", "pooled sd"}};
  for (const auto& row : a.rows) {
    const VariantSummary* other = find(b, row);
    const std::string left = report::mean_and_deviation(row.last_mean, row.last_deviation, row.n);
    if (other == nullptr) {
      lines.push_back({row.variant, left, "–", "–", "–"});
      continue;
    }
    const double deviation = pooled_deviation(row, *other);
    lines.push_back({row.variant, left, report::mean_and_deviation(other->last_mean, other->last_deviation, other->n),
                     fmt::format("{:+.3f}", other->last_mean - row.last_mean), std::isnan(deviation) ? "–" : report::score(deviation)});
  }
  for (const auto& row : b.rows) {
    if (find(a, row) == nullptr)
      lines.push_back({row.variant, "–", report::mean_and_deviation(row.last_mean, row.last_deviation, row.n), "–", "–"});
  }
  return lines;
}

nlohmann::json side_as_json(const VariantSummary* row) {
  if (row == nullptr) return nullptr;
  return {{"n", row->n}, {"mean", row->last_mean}, {"deviation", row->n > 1 ? nlohmann::json(row->last_deviation) : nlohmann::json()}};
}

/// A null pointer: the run lacks this row.
nlohmann::json row_as_json(const VariantSummary* a, const VariantSummary* b) {
  const VariantSummary& either = a != nullptr ? *a : *b;
  nlohmann::json row = {{"variant", either.variant}, {"section", either.section}, {"a", side_as_json(a)}, {"b", side_as_json(b)}};
  if (a == nullptr || b == nullptr) return row;
  row["difference"] = b->last_mean - a->last_mean;
  row["pooled_deviation"] = pooled_deviation(*a, *b);  // JSON has no NaN: null where one seed tells nothing
  return row;
}

std::string aligned(const std::vector<std::vector<std::string>>& lines) {
  std::vector<size_t> widths(lines.front().size(), 0);
  for (const auto& cells : lines) {
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], report::display_width(cells[i]));
  }
  std::string out;
  for (const auto& cells : lines) {
    for (size_t i = 0; i < cells.size(); ++i)
      out += i == 0 ? report::pad_right(cells[i], widths[i]) : "   " + report::pad_left(cells[i], widths[i]);
    out += '\n';
  }
  return out;
}

/// Differences of one group of run.json between two runs: {"group.name": [a, b]}.
void add_differences(nlohmann::json& to, const nlohmann::json& a, const nlohmann::json& b, const std::string& group) {
  const nlohmann::json left = a.value(group, nlohmann::json::object()), right = b.value(group, nlohmann::json::object());
  if (left == right) return;
  if (!left.is_object() || !right.is_object()) {
    to[group] = nlohmann::json::array({left, right});
    return;
  }
  std::set<std::string> names;
  for (const auto* side : {&left, &right}) {
    for (const auto& [name, value] : side->items()) names.insert(name);
  }
  for (const auto& name : names) {
    const auto of = [&](const nlohmann::json& side) { return side.value(name, nlohmann::json()); };
    if (of(left) != of(right)) to[group + "." + name] = nlohmann::json::array({of(left), of(right)});
  }
}

/// Models and tasks of the pages that both runs have.
void add_differing_inputs(nlohmann::json& to, const std::vector<Report>& a, const std::vector<Report>& b) {
  for (const Report& report : a) {
    const Report* other = find(b, report.folder);
    if (other == nullptr) continue;
    nlohmann::json found = nlohmann::json::object();
    add_differences(found, report.inputs, other->inputs, "inputs");
    for (const auto& [name, values] : found.items()) to[report.folder.empty() ? name : report.folder + ": " + name] = values;
  }
}

nlohmann::json differing(const nlohmann::json& a, const nlohmann::json& b) {
  nlohmann::json all = nlohmann::json::object();
  if (recipe_of(a) != recipe_of(b)) all["recipe"] = nlohmann::json::array({recipe_of(a), recipe_of(b)});
  if (recipe_of(a) == recipe_of(b) && a.value("recipe", nlohmann::json()) != b.value("recipe", nlohmann::json()))
    all["recipe"] = "edited between the two runs";
  for (const char* group : {"arguments", "settings", "seeds", "versions", "host"}) add_differences(all, a, b, group);
  return all;
}

/// "dim=16  seeds=3"
std::string pairs(const nlohmann::json& run, const char* group) {
  const nlohmann::json values = run.value(group, nlohmann::json::object());
  if (!values.is_object()) return text_of(values);
  std::string out;
  for (const auto& [name, value] : values.items()) out += fmt::format("{}{}={}", out.empty() ? "" : "  ", name, text_of(value));
  return out;
}

}  // namespace

std::string show_run(const std::filesystem::path& folder) {
  const nlohmann::json run = read_run(folder);
  std::string out = line("run", folder.string()) + line("state", text_of(run["state"]));
  if (run.contains("error")) out += line("error", text_of(run["error"]));
  out += line("recipe", recipe_of(run));
  for (const char* group : {"arguments", "settings", "versions"}) out += line(group, pairs(run, group));
  out +=
      line("started", text_of(run.value("started", nlohmann::json("")))) + line("ended", text_of(run.value("ended", nlohmann::json(""))));
  out += line("time", number(run, "seconds", report::duration)) + line("memory", number(run, "peak_memory_bytes", spell_bytes));
  out += "\n";
  const std::vector<Report> reports = reports_of(run, folder);
  for (const Report& report : reports) out += claims_as_text(report.claims) + table_as_text(report.table->head, report.table->rows);
  return reports.empty() ? out + "no table: the run has not reached its report\n" : out;
}

namespace {

std::string compared(const ResultTable& a, const ResultTable& b) {
  const auto facts = [](const TableHead& head) {
    return fmt::format("model {}   task {}   split {}   metric {}   majority {}", head.model, head.task, head.split, head.metric,
                       report::score(head.majority_score));
  };
  const std::string ours = facts(a.head), theirs = facts(b.head);
  const std::string heading =
      ours == theirs
          ? ours + "\n\n"
          : fmt::format("A  {}\nB  {}\nThe two tables measure different things; a difference of means says little.\n\n", ours, theirs);
  return heading + aligned(joined(a, b));
}

}  // namespace

std::string compare_runs(const std::filesystem::path& a, const std::filesystem::path& b) {
  const nlohmann::json left = read_run(a), right = read_run(b);
  std::string out = fmt::format("A  {}  {}\nB  {}  {}\n\n", a.string(), text_of(left["state"]), b.string(), text_of(right["state"]));
  const std::vector<Report> ours = reports_of(left, a), theirs = reports_of(right, b);
  if (ours.empty() || theirs.empty()) out += fmt::format("{} has no table\n", !ours.empty() ? "B" : !theirs.empty() ? "A" : "neither run");
  for (const Report& report : ours) {
    const Report* other = find(theirs, report.folder);
    if (other != nullptr) out += compared(*report.table, *other->table) + "\n";
    if (other == nullptr && !theirs.empty()) out += fmt::format("B has no table '{}'\n", report.table->head.title);
  }
  for (const Report& report : theirs)
    if (!ours.empty() && find(ours, report.folder) == nullptr) out += fmt::format("A has no table '{}'\n", report.table->head.title);
  std::string lines;
  nlohmann::json all = differing(left, right);
  add_differing_inputs(all, ours, theirs);
  for (const auto& [name, values] : all.items())
    lines += values.is_array() ? fmt::format("  {}: {} | {}\n", name, text_of(values[0]), text_of(values[1]))
                               : fmt::format("  {}: {}\n", name, text_of(values));
  return out + (lines.empty() ? "no option differs\n" : "differing (A | B)\n" + lines);
}

nlohmann::json run_as_json(const std::filesystem::path& folder) {
  nlohmann::json run = read_run(folder);
  run["path"] = folder.string();
  return run;
}

nlohmann::json comparison_as_json(const std::filesystem::path& a, const std::filesystem::path& b) {
  const nlohmann::json left = read_run(a), right = read_run(b);
  const std::vector<Report> ours = reports_of(left, a), theirs = reports_of(right, b);
  nlohmann::json rows = nlohmann::json::array();
  const auto add = [&](const Report& report, const VariantSummary* of_a, const VariantSummary* of_b) {
    rows.push_back(row_as_json(of_a, of_b));
    rows.back()["report"] = report.folder;
  };
  for (const Report& report : ours) {
    const Report* other = find(theirs, report.folder);
    if (other == nullptr) continue;
    for (const auto& row : report.table->rows) add(report, &row, find(*other->table, row));
    for (const auto& row : other->table->rows)
      if (find(*report.table, row) == nullptr) add(report, nullptr, &row);
  }
  nlohmann::json all = differing(left, right);
  add_differing_inputs(all, ours, theirs);
  return {{"a", {{"path", a.string()}, {"state", left["state"]}}},
          {"b", {{"path", b.string()}, {"state", right["state"]}}},
          {"rows", rows},
          {"differing", all}};
}

}  // namespace tsrun
