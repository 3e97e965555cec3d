#pragma once

#include "experiment/report_rows.h"

#include <string>
#include <vector>

namespace tsrun::experiment {

/// The claims of a report (ts.claim), a list of tables. Every one names rows of `rows` by their variants, also in a plan, which knows no
/// scores. @throws Error(user)
std::vector<Claim> claims_of(const nlohmann::json& given, const nlohmann::json& rows);

std::vector<JudgedClaim> judged(const std::vector<Claim>& claims, const std::vector<ReportedRow>& rows, const TableHead& head);

}  // namespace tsrun::experiment
