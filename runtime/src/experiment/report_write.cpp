#include "experiment/report_figure.h"
#include "experiment/report_page.h"
#include "experiment/report_text.h"
#include "tsrun/base/files.h"

#include <fmt/format.h>

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
    if (const auto drawing = draw(figure, folder)) out += figure_as_html(figure, *drawing);
  }
  return out.empty() ? out : "<h2>Figures</h2>\n" + out;
}

std::string notes_as_html(const std::vector<std::string>& notes) {
  std::string out;
  for (const auto& note : notes) out += fmt::format("<p class=\"note\">{}</p>\n", report::escape_html(note));
  return out.empty() ? out : "<h2>Notes</h2>\n" + out;
}

std::string page_as_html(const ReportPage& page, const std::filesystem::path& folder) {
  const std::string title = report::escape_html(page.head.title);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<title>{}</title>\n<style>\n{}</style>\n"
      "</head>\n<body>\n<main>\n<header>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n",
      title, report::page_style(), title, report::facts(page.head, page.rows));
  out += report::table_as_html(page.head, page.rows);
  out += links({"table.txt", "table.csv", "table.md", "table.tex"});
  out += figures_as_html(page, folder) + notes_as_html(page.notes) + report::how_made(page.run);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace

std::filesystem::path write_report(const ReportPage& page, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  write_durable(folder / "table.txt", table_as_text(page.head, page.rows));
  write_durable(folder / "table.csv", table_as_csv(page.head, page.rows));
  write_durable(folder / "table.md", table_as_markdown(page.head, page.rows));
  write_durable(folder / "table.tex", table_as_latex(page.head, page.rows));
  const auto path = folder / "report.html";
  write_durable(path, page_as_html(page, folder));
  return path;
}

}  // namespace tsrun
