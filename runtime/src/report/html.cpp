#include "report/html.h"
#include "report/grid.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <cmath>

namespace tsrun::report {

namespace {

/// "0.923 ± 0.006" with the spread set back.
std::string score_cell(const Cell& cell) {
  const std::string text = escape_html(cell.text);
  const size_t at = text.find(" ±");
  return at == std::string::npos ? text : fmt::format("{}<span class=\"spread\">{}</span>", text.substr(0, at), text.substr(at));
}

/// Columns of words but the first, which the style sheet knows, say so.
std::string_view class_of(const Grid& grid, size_t column, bool leading) {
  if (column > 0 && grid.alignment[column] == 'l') return leading ? " class=\"words lead\"" : " class=\"words\"";
  return leading ? " class=\"lead\"" : "";
}

std::string line_as_html(const Grid& grid, const std::vector<Cell>& line) {
  std::string out = fmt::format("<tr><th scope=\"row\">{}</th>", escape_html(line.front().text));
  for (size_t i = 1; i < line.size(); ++i) out += fmt::format("<td{}>{}</td>", class_of(grid, i, line[i].leading), score_cell(line[i]));
  return out + "</tr>\n";
}

std::string grid_as_html(const Grid& grid, const std::string& label) {
  std::string out =
      fmt::format("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table>\n<thead><tr>", escape_html(label));
  for (size_t i = 0; i < grid.columns.size(); ++i)
    out += fmt::format("<th scope=\"col\"{}>{}</th>", class_of(grid, i, false), escape_html(grid.columns[i]));
  out += "</tr></thead>\n";
  for (const auto& section : grid.sections) {
    out += "<tbody>\n";
    if (!section.heading.empty()) {
      out += fmt::format("<tr class=\"section\"><th scope=\"rowgroup\" colspan=\"{}\">{}</th></tr>\n", grid.columns.size(),
                         escape_html(section.heading));
    }
    for (const auto& line : section.lines) out += line_as_html(grid, line);
    out += "</tbody>\n";
  }
  return out + "</table></div>\n";
}

/// One entry of the list of how a run was made; nothing when the value is empty.
std::string entry(std::string_view name, const std::string& html) {
  return html.empty() ? std::string() : fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, html);
}

std::string plain(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// {"a": 1, "b": "x"} as "a = 1, b = x"
std::string pairs(const nlohmann::json& run, const char* name) {
  const auto found = run.find(name);
  if (found == run.end() || !found->is_object()) return {};
  std::string out;
  for (const auto& [key, value] : found->items()) {
    if (!value.is_null())
      out += fmt::format("{}<code>{} = {}</code>", out.empty() ? "" : ", ", escape_html(key), escape_html(plain(value)));
  }
  return out;
}

std::string field(const nlohmann::json& run, const char* name) {
  const auto found = run.find(name);
  return found == run.end() || found->is_null() ? std::string() : escape_html(plain(*found));
}

template <class Spell>
std::string number(const nlohmann::json& run, const char* name, const Spell& spell) {
  const auto found = run.find(name);
  return found != run.end() && found->is_number() ? spell(found->get<double>()) : std::string();
}

std::string words(const nlohmann::json& run, const char* name, std::string_view separator) {
  const auto found = run.find(name);
  if (found == run.end() || !found->is_array()) return {};
  std::string out;
  for (const auto& word : *found) out += (out.empty() ? "" : std::string(separator)) + escape_html(plain(word));
  return out;
}

}  // namespace

std::string facts(const TableHead& head, const std::vector<VariantSummary>& rows) {
  const auto strong = [](const std::string& text) { return "<strong>" + escape_html(text) + "</strong>"; };
  const std::string what = fmt::format("{} of {} on the {} split of {}, over {}.", strong(head.metric), strong(head.model),
                                       strong(head.split), strong(head.task), seeds_in_words(rows));
  if (std::isnan(head.majority_score)) return what;
  return what + fmt::format(" Always predicting the most frequent answer scores {}.", strong(score(head.majority_score)));
}

std::string table_as_html(const TableHead& head, const std::vector<VariantSummary>& rows) {
  return fmt::format("{}<p class=\"legend\">{} The best mean of each column is set in bold.</p>\n",
                     grid_as_html(grid_of(head, rows), "Results"), escape_html(legend()));
}

std::string table_as_html(const FreeTable& table) {
  const std::string remarks = remarks_of(table);
  return fmt::format("<p class=\"caption\">{}</p>\n{}{}", escape_html(table.caption), grid_as_html(grid_of(table), table.caption),
                     remarks.empty() ? "" : fmt::format("<p class=\"legend\">{}</p>\n", escape_html(remarks)));
}

std::string how_made(const nlohmann::json& run) {
  if (!run.is_object() || run.empty()) return {};
  std::string out = "<h2>How this was made</h2>\n";
  if (const std::string command = words(run, "command", " "); !command.empty()) out += fmt::format("<pre>{}</pre>\n", command);
  const auto recipe = run.find("recipe");
  const nlohmann::json source = recipe != run.end() && recipe->is_object() ? *recipe : nlohmann::json::object();
  const auto spell_bytes = [](double value) { return bytes(static_cast<int64_t>(value)); };
  out += "<dl>\n";
  if (field(run, "state") != "running") out += entry("state", field(run, "state"));  // the page is written before the run ends
  out += entry("recipe", field(source, "path"));
  out += entry("its sha256", fmt::format("<code>{}</code>", field(source, "sha256")));
  out += entry("arguments", pairs(run, "arguments"));
  out += entry("settings", pairs(run, "settings"));
  out += entry("seeds", words(run, "seeds", ", "));
  out += entry("versions", pairs(run, "versions"));
  out += entry("host", pairs(run, "host"));
  out += entry("started", field(run, "started"));
  out += entry("ended", field(run, "ended"));
  out += entry("time", number(run, "seconds", duration));
  out += entry("peak memory", number(run, "peak_memory_bytes", spell_bytes));
  return out + "</dl>\n";
}

}  // namespace tsrun::report
