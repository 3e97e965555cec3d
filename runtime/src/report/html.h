#pragma once

#include "tsrun/report/report.h"

#include <string>

/// Parts of report.html, each a piece of HTML with everything that comes from outside escaped.
namespace tsrun::report {

std::string page_style();
std::string facts(const TableHead& head, const std::vector<VariantSummary>& rows);  ///< one sentence
std::string table_as_html(const TableHead& head, const std::vector<VariantSummary>& rows);
std::string table_as_html(const FreeTable& table);
std::string how_made(const nlohmann::json& run);  ///< from run.json; what is missing there is left out

}  // namespace tsrun::report
