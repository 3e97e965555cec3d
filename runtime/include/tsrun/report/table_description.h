#pragma once

#include "tsrun/report/report.h"

#include <nlohmann/json.hpp>

namespace tsrun {

/// A table as a recipe describes it: `name`, `caption`, `columns`, `rows`, `digits`, `note`. A cell is a text, a number, a list of numbers
/// (which becomes mean ± sample deviation), {mean, std, n}, or null or false for nothing; a row that is shorter than the columns ends in
/// empty cells.
/// @throws Error(user) naming table, row and column.
FreeTable free_table_of(const nlohmann::json& description);

/// Mean and sample deviation. `values` is not empty.
FreeTable::Entry spread_of(const std::vector<double>& values);

}  // namespace tsrun
