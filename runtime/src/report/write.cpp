#include "report/claims.h"
#include "report/figure.h"
#include "report/html.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <set>

namespace tsrun {

namespace {

std::string links(const std::vector<std::string>& files) {
  std::string out = "<p class=\"files\">";
  for (const auto& file : files) out += fmt::format("<a href=\"{0}\">{0}</a> ", report::escape_html(file));
  return out + "</p>\n";
}

std::string figure_as_html(const Figure& figure, const std::filesystem::path& drawing) {
  return fmt::format(
      "<figure>\n<div class=\"box\">{0}</div>\n<figcaption>{1} <span class=\"files\"><a href=\"{2}.svg\">svg</a><a "
      "href=\"{2}.dat\">data</a>"
      "<a href=\"{2}.gp\">script</a></span></figcaption>\n</figure>\n",
      read_text(drawing), report::escape_html(figure.caption), figure.name);
}

std::string figures_as_html(const ReportPage& page, const std::filesystem::path& folder) {
  std::string out;
  for (const auto& figure : page.figures) {
    if (const auto drawing = draw_figure(figure, folder)) out += figure_as_html(figure, *drawing);
  }
  return out.empty() ? out : "<h2>Figures</h2>\n" + out;
}

std::vector<std::string> files_of(const FreeTable& table) { return {table.name + ".csv", table.name + ".md", table.name + ".tex"}; }

std::string tables_as_html(const std::vector<FreeTable>& tables, std::string_view heading) {
  std::string out;
  for (const auto& table : tables) out += report::table_as_html(table) + links(files_of(table));
  return out.empty() ? out : fmt::format("<h2>{}</h2>\n{}", heading, out);
}

std::string claims_as_html(const std::vector<JudgedClaim>& claims) {
  if (claims.empty()) return {};
  std::string out = "<h2>Claims</h2>\n";
  for (size_t i = 0; i < claims.size(); ++i) {
    const JudgedClaim& judged = claims[i];
    const std::string word = report::verdict_word(judged);
    const bool begins = report::begins_section(claims, i);
    if (begins && i > 0) out += "</ul>\n";
    if (begins) out += fmt::format("<h3>{}</h3>\n", report::escape_html(report::section_title(judged.claim)));
    if (begins || i == 0) out += "<ul class=\"claims\">\n";
    out += fmt::format("<li><strong class=\"{0}\">{0}</strong>: {1}. <span class=\"spread\">{2}.</span></li>\n", word,
                       report::escape_html(report::claim_sentence(judged.claim)), report::escape_html(report::claim_numbers(judged)));
  }
  return out + "</ul>\n";
}

std::string notes_as_html(const std::vector<std::string>& notes) {
  std::string out;
  for (const auto& note : notes) out += fmt::format("<p class=\"note\">{}</p>\n", report::escape_html(note));
  return out.empty() ? out : "<h2>Notes</h2>\n" + out;
}

/// A page of a recipe that reports nothing but tables of its own has no table of rows.
bool has_rows(const ReportPage& page) { return !page.rows.empty() || page.tables.empty(); }

std::string page_as_html(const ReportPage& page, const std::filesystem::path& folder) {
  const std::string title = report::escape_html(page.head.title);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<title>{}</title>\n<style>\n{}</style>\n"
      "</head>\n<body>\n<main>\n<header>\n<h1>{}</h1>\n{}</header>\n",
      title, report::page_style(), title, has_rows(page) ? "<p>" + report::facts(page.head, page.rows) + "</p>\n" : "");
  out += claims_as_html(page.claims);
  if (has_rows(page)) out += report::table_as_html(page.head, page.rows) + links({"table.txt", "table.csv", "table.md", "table.tex"});
  out += tables_as_html(page.tables, "Tables") + figures_as_html(page, folder) + tables_as_html(page.modules, "What was trained") +
         tables_as_html(page.resources, "What it took");
  out += notes_as_html(page.notes) + report::how_made(page.run);
  return out + "</main>\n</body>\n</html>\n";
}

void check_names(const ReportPage& page) {
  std::set<std::string> taken = {"table", "report", "run", "metrics", "modules", "resources"}, figures;
  for (const auto& table : page.tables) {
    report::check_file_stem("table", table.name);
    if (!taken.insert(table.name).second)
      user_error("report: the files of table '{}' would be those of another: give it a caption of its own", table.name);
  }
  for (const auto& figure : page.figures) {
    if (!figures.insert(figure.name).second)
      user_error("report: two figures are named '{}': give each a name or caption of its own", figure.name);
  }
}

void write_table(const FreeTable& table, const std::filesystem::path& folder) {
  write_durable(folder / (table.name + ".csv"), table_as_csv(table));
  write_durable(folder / (table.name + ".md"), table_as_markdown(table));
  write_durable(folder / (table.name + ".tex"), table_as_latex(table));
}

}  // namespace

std::filesystem::path write_report(const ReportPage& page, const std::filesystem::path& folder) {
  check_names(page);
  std::filesystem::create_directories(folder);
  if (has_rows(page)) {
    write_durable(folder / "table.txt", claims_as_text(page.claims) + table_as_text(page.head, page.rows));
    write_durable(folder / "table.csv", table_as_csv(page.head, page.rows));
    write_durable(folder / "table.md", claims_as_markdown(page.claims) + table_as_markdown(page.head, page.rows));
    write_durable(folder / "table.tex", table_as_latex(page.head, page.rows));
  }
  for (const auto& table : page.tables) write_table(table, folder);
  for (const auto& table : page.modules) write_table(table, folder);
  for (const auto& table : page.resources) write_table(table, folder);
  const auto path = folder / "report.html";
  write_durable(path, page_as_html(page, folder));
  return path;
}

}  // namespace tsrun
