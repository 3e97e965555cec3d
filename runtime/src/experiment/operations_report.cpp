#include "tsrun/report/figure_description.h"
#include "tsrun/report/module_table.h"
#include "tsrun/report/table_description.h"

#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/report/report.h"
#include "tsrun/store/run_folder.h"

#include <algorithm>
#include <cmath>

/// The operation `report`: what a recipe collected with report:row, :figure and :note becomes tables, figures and a page in the run's
/// folder.
namespace tsrun {

namespace {

using nlohmann::json;

/// Reads what a recipe put into its report. @throws Error(user) naming `what` when it is not what ts returned
template <class Read>
auto given_as(const std::string& what, Read&& read) {
  try {
    return read();
  } catch (const json::exception& error) {
    user_error("{}: not what ts returned: {}", what, error.what());
  }
}

ReportRow row_of(const json& row) {
  const json& result = row.at("result");
  if (!result.is_object() || !result.contains("last"))
    user_error("row '{}': expected a result of ts.train or ts.evaluate", row.at("variant").get<std::string>());
  const json section = row.value("section", json());
  return {.variant = row.at("variant"),
          .section = section.is_string() ? section.get<std::string>() : "",
          .seed = result.value("seed", int64_t{0}),
          .best = result.at("best").at("score"),
          .last = result.at("last").at("score"),
          .commonest_share = result.at("last").value("commonest_share", 0.0),
          .trainable = result.value("trainable", int64_t{0}),
          .degrees_of_freedom = result.value("degrees_of_freedom", int64_t{0}),
          .bytes_shipped = result.value("bytes_shipped", int64_t{0}),
          .trained = result.value("trained", true)};
}

std::vector<ReportRow> rows_of(const json& rows) {
  std::vector<ReportRow> results;
  for (const auto& row : rows) results.push_back(row_of(row));
  return results;
}

/// Model, task and metric are those of the rows, which must agree.
TableHead head_of(const std::string& title, const json& rows, const std::string& split) {
  TableHead head{.title = title, .model = {}, .task = {}, .split = split, .metric = {}, .majority_score = 0};
  for (const auto& row : rows) {
    const json& result = row.at("result");
    const std::string model = result.at("model").at("spec"), task = result.at("task").at("spec");
    if (head.model.empty()) {
      head.model = model;
      head.task = task;
      head.metric = result.at("task").at("metric");
      const json& majority = result.at("task").at("splits").at(split).at("majority_score");
      head.majority_score = majority.is_number() ? majority.get<double>() : std::nan("");  // of language modelling there is none
    } else if (model != head.model || task != head.task) {
      user_error("row '{}' is of model {} and task {}, but the table began with {} and {}: make a report for each",
                 row.at("variant").get<std::string>(), model, task, head.model, head.task);
    }
  }
  return head;
}

/// What model and task are by content, where the table has their names only.
json inputs_of(const json& result) {
  json inputs = json::object();
  for (const char* name : {"model", "task"}) inputs[name] = result.at(name).value("key", json());
  return inputs;
}

std::string machine_of(const json& record) {
  const int threads = record.value("threads", 0);
  return fmt::format("{}, {} thread{}", record.value("host", "unknown"), threads, threads == 1 ? "" : "s");
}

/// What the store wrote down while it made the rows' stages. A result that no stage stands behind (of an older store) is left out.
std::vector<ResourceRow> resources_of(Lab& lab, const json& rows, const std::vector<std::string>& sections) {
  std::vector<ResourceRow> resources;
  for (const auto& row : rows) {
    const json& result = row.at("result");
    const json section = row.value("section", json());
    const bool wanted = sections.empty() || (section.is_string() && std::find(sections.begin(), sections.end(),
                                                                              section.get_ref<const std::string&>()) != sections.end());
    if (!wanted || !result.value("trained", true) || !result.contains("artifact") || !result.contains("key")) continue;
    const json record = lab.store().record(result.at("artifact"), result.at("key"));
    if (!record.is_object()) continue;
    const json memory = record.value("memory", json::object());
    resources.push_back({.variant = row.at("variant"),
                         .key = result.at("key"),
                         .seconds = record.value("seconds", 0.0),
                         .peak_memory_bytes = memory.value("peak_bytes", int64_t{0}),
                         .memory_before_bytes = memory.value("before_bytes", int64_t{0}),
                         .machine = machine_of(record),
                         .trainable = result.value("trainable", int64_t{0}),
                         .bytes_shipped = result.value("bytes_shipped", int64_t{0})});
  }
  return resources;
}

void announce(const ReportPage& page, const std::filesystem::path& path, bool with_resources) {
  std::string text, files;
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
  for (const auto& table : o.value("tables")) page.tables.push_back(free_table_of(table));  // a plan finds what is wrong with them too
  if (lab.settings().plan_only || lab.settings().worker) return json::object();
  const json& rows = o.value("rows");
  page.head = given_as("rows", [&] { return head_of(o.text("title"), rows, o.text("split")); });
  const auto results = given_as("rows", [&] { return rows_of(rows); });
  page.rows = summarise(results);
  if (!page.rows.empty()) page.figures.push_back(score_figure(page.head, page.rows));
  for (const auto& figure : o.value("figures")) page.figures.push_back(given_as("figures", [&] { return figure_of(figure); }));
  const auto resources = given_as("rows", [&] { return resources_of(lab, rows, o.texts("resources")); });
  if (!resources.empty()) page.resources.push_back(resource_table(resources));
  FreeTable modules = given_as("rows", [&] { return module_table(rows); });
  if (!modules.rows.empty()) page.modules.push_back(std::move(modules));
  page.notes = o.texts("notes");

  if (lab.begun_run() == nullptr) internal_error("no run has begun that a report could belong to");
  RunFolder& run = *lab.begun_run();
  run.refresh();
  for (const auto& row : results) {
    run.append_metrics({{"variant", row.variant},
                        {"section", row.section},
                        {"seed", row.seed},
                        {"best", row.best},
                        {"last", row.last},
                        {"commonest_share", row.commonest_share}});
  }
  run.set("table", table_as_json(page.head, page.rows));
  if (!rows.empty()) run.set("inputs", inputs_of(rows.front().at("result")));
  if (!page.tables.empty()) run.set("tables", o.value("tables"));
  page.run = run.json();
  auto folder = run.path();
  if (o.has("folder")) folder /= o.text("folder");
  std::filesystem::create_directories(folder);
  announce(page, write_report(page, folder), o.flag("show_resources"));
  return {{"path", folder.string()}};
}

}  // namespace

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
                 .doc = "sections whose time and memory are told; none: all"},
                {.name = "show_resources", .type = OptionType::boolean, .fallback = false, .doc = "print time and memory too"},
                {.name = "notes", .type = OptionType::list, .fallback = json::array(), .doc = "paragraphs"},
                {.name = "split", .type = OptionType::text, .fallback = "dev", .doc = "split that the scores are of"},
                {.name = "folder", .type = OptionType::text, .doc = "folder inside the run's, for recipes with several reports"}},
           .run = run_report}};
}

}  // namespace tsrun
