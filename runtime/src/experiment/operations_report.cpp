#include "experiment/handed_out.h"
#include "experiment/report_claims.h"
#include "experiment/report_rows.h"
#include "tsrun/report/figure_description.h"
#include "tsrun/report/module_table.h"
#include "tsrun/report/table_description.h"

#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/report/report.h"
#include "tsrun/store/run_folder.h"

#include <algorithm>

/// The operation `report`: writes the rows, figures and notes of a recipe's report as tables, figures and a page in the run's folder.
namespace tsrun {

using nlohmann::json;

namespace experiment {
namespace {

/// Reads a part of a recipe's report. An unreadable part is the user's mistake; of one with handles `Lab::call` decides.
template <class Read>
auto given_as(const std::string& what, const json& given, Read&& read) {
  try {
    return read(given);
  } catch (const json::exception& error) {
    if (holds_handle(given)) throw;
    user_error("{}: not what ts returned: {}", what, error.what());
  }
}

std::vector<ReportedRow> rows_of(const json& given) {
  std::vector<ReportedRow> rows;
  for (const json& row : given) rows.push_back(ReportedRow::from_json(row));
  return rows;
}

/// Keys of model and task, of which the table has names alone.
json inputs_of(const ReportedRow& row) {
  const auto known = [](const std::optional<std::string>& key) { return key ? json(*key) : json(); };
  return {{"model", known(row.model_key)}, {"task", known(row.task_key)}};
}

std::string machine_of(const json& record) {
  const int threads = record.value("threads", 0);
  return fmt::format("{}, {} thread{}", record.value("host", "unknown"), threads, threads == 1 ? "" : "s");
}

/// Time and memory of a row's stage, from the store; nothing where there is no record.
std::optional<ResourceRow> resources_of(Lab& lab, const ReportedRow& reported) {
  const ReportRow& row = reported.row;
  if (!row.trained || reported.kind.empty() || reported.key.empty()) return std::nullopt;
  const json record = lab.store().record(reported.kind, reported.key);
  if (!record.is_object()) return std::nullopt;
  const json memory = record.value("memory", json::object());
  return ResourceRow{.variant = row.variant,
                     .key = reported.key,
                     .seconds = record.value("seconds", 0.0),
                     .peak_memory_bytes = memory.value("peak_bytes", int64_t{0}),
                     .memory_before_bytes = memory.value("before_bytes", int64_t{0}),
                     .machine = machine_of(record),
                     .trainable = row.trainable,
                     .bytes_shipped = row.bytes_shipped,
                     .step_seconds = record.value("measured", json::object()).value("step_seconds", 0.0),
                     .trainable_share = reported.trainable_share,
                     .forward_share = reported.forward_share,
                     .backward_share = reported.backward_share};
}

/// No sections: all.
bool is_in(const ReportRow& row, const std::vector<std::string>& sections) {
  return sections.empty() || (!row.section.empty() && std::find(sections.begin(), sections.end(), row.section) != sections.end());
}

std::vector<ReportRow> in_sections(std::vector<ReportRow> rows, const std::vector<std::string>& sections) {
  std::erase_if(rows, [&](const ReportRow& row) { return !is_in(row, sections); });
  return rows;
}

/// Of rows in these sections; of none: in all.
std::vector<ResourceRow> resources_of(Lab& lab, const std::vector<ReportedRow>& rows, const std::vector<std::string>& sections) {
  std::vector<ResourceRow> resources;
  for (const ReportedRow& row : rows) {
    if (!is_in(row.row, sections)) continue;
    if (auto resource = resources_of(lab, row)) resources.push_back(std::move(*resource));
  }
  return resources;
}

void announce(const ReportPage& page, const std::filesystem::path& path, bool with_resources) {
  std::string text = claims_as_text(page.claims), files;
  const auto add = [&](const std::string& table, const std::string& name) {
    text += table + "\n";
    files += fmt::format("   {0}.csv  {0}.md  {0}.tex", name);
  };
  if (!page.rows.empty() || page.tables.empty()) add(table_as_text(page.head, page.rows), "table");
  for (const auto& table : page.tables) add(table_as_text(table), table.name);
  for (const auto& table : page.resources)
    if (with_resources) add(table_as_text(table), table.name);
  text += fmt::format("report  {}{}\n", path.string(), files);
  print_result(text);
}

json run_report(Lab& lab, const Options& o) {
  ReportPage page;
  for (const auto& table : o.value("tables")) page.tables.push_back(free_table_of(table));  // in a plan too, for its errors
  const std::vector<Claim> claims = claims_of(o.value("claims"), o.value("rows"));
  if (lab.settings().plan_only || lab.settings().worker) return json::object();
  const std::vector<ReportedRow> reported = rows_of(o.value("rows"));
  page.head = head_of(o.text("title"), reported, o.text("split"));
  std::vector<ReportRow> rows;
  for (const ReportedRow& row : reported) rows.push_back(row.row);
  page.rows = summarise(rows);
  page.claims = judged(claims, reported, page.head);
  if (!page.rows.empty()) page.figures.push_back(score_figure(page.head, page.rows));
  for (const auto& figure : o.value("figures")) page.figures.push_back(given_as("figures", figure, figure_of));
  const auto resources = resources_of(lab, reported, o.texts("resources"));
  if (o.has("cost")) {
    page.figures.push_back(cost_figure(page.head, summarise(in_sections(rows, o.texts("cost_sections"))), resources_of(lab, reported, {})));
    page.figures.back().caption = o.text("cost");
  }
  if (!resources.empty()) page.resources.push_back(resource_table(resources));
  FreeTable modules = given_as("rows", o.value("rows"), module_table);
  if (!modules.rows.empty()) page.modules.push_back(std::move(modules));
  page.notes = o.texts("notes");

  if (lab.begun_run() == nullptr) internal_error("no run has begun that a report could belong to");
  RunFolder& run = *lab.begun_run();
  run.refresh();
  const std::string page_folder = o.has("folder") ? o.text("folder") : "";
  for (const ReportRow& row : rows) {
    run.append_metrics({{"report", page_folder},
                        {"variant", row.variant},
                        {"section", row.section},
                        {"seed", row.seed},
                        {"best", row.best},
                        {"last", row.last},
                        {"top_answer_share", row.top_answer_share}});
  }
  json kept = {{"folder", page_folder}, {"table", table_as_json(page.head, page.rows)}};
  if (!page.claims.empty()) kept["claims"] = claims_as_json(page.claims);
  if (!reported.empty()) kept["inputs"] = inputs_of(reported.front());
  if (!page.tables.empty()) kept["tables"] = o.value("tables");
  run.set_report(std::move(kept));
  page.run = run.json();
  const std::filesystem::path folder = page_folder.empty() ? run.path() : run.path() / page_folder;
  std::filesystem::create_directories(folder);
  announce(page, write_report(page, folder), o.flag("show_resources"));
  return {{"path", folder.string()}};
}

}  // namespace

}  // namespace experiment

std::vector<Operation> report_operations() {
  return {{.name = "report",
           .doc = "Writes tables, figures and a page, and prints the table.",
           .options =
               {{.name = "title", .type = OptionType::text, .doc = "heading", .required = true},
                {.name = "rows", .type = OptionType::list, .fallback = json::array(), .doc = "tables {variant, section, result}"},
                {.name = "figures", .type = OptionType::list, .fallback = json::array(), .doc = "tables {name, caption, kind, …}"},
                {.name = "tables", .type = OptionType::list, .fallback = json::array(), .doc = "tables {name, caption, columns, rows, …}"},
                {.name = "resources",
                 .type = OptionType::list,
                 .fallback = json::array(),
                 .doc = "sections in the table of time and memory; none: all"},
                {.name = "show_resources", .type = OptionType::boolean, .fallback = false, .doc = "print time and memory too"},
                {.name = "cost", .type = OptionType::text, .doc = "caption of a figure of score against the time of a step; absent: none"},
                {.name = "cost_sections", .type = OptionType::list, .fallback = json::array(), .doc = "sections in that figure; none: all"},
                {.name = "claims", .type = OptionType::list, .fallback = json::array(), .doc = "tables of ts.claim"},
                {.name = "notes", .type = OptionType::list, .fallback = json::array(), .doc = "paragraphs"},
                {.name = "split", .type = OptionType::text, .fallback = "dev", .doc = "split of the scores"},
                {.name = "folder", .type = OptionType::text, .doc = "folder inside the run's, for recipes with several reports"}},
           .run = experiment::run_report}};
}

}  // namespace tsrun
