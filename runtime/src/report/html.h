#pragma once

#include "tsrun/report/report.h"

#include <string>

/// Parts of report.html, with all foreign text escaped.
namespace tsrun::report {

std::string page_style();
std::string facts(const TableHead& head, const std::vector<VariantSummary>& rows);  ///< one sentence
std::string table_as_html(const TableHead& head, const std::vector<VariantSummary>& rows);
std::string table_as_html(const FreeTable& table);
std::string how_made(const nlohmann::json& run);  ///< from run.json, without its missing fields

}  // namespace tsrun::report
