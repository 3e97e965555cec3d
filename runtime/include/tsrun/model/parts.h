#pragma once

#include "tsrun/model/family.h"

#include <string>
#include <string_view>
#include <vector>

/// Parts of a model by name.
namespace tsrun {

/// Names of all parts in the order of a forward pass; `delta`, which no model has of its own, is the last.
std::vector<std::string> part_names();
/// Those that a model has of its own.
std::vector<std::string> own_part_names();
/// @throws Error(user) beginning with `where` for a part that no model has, with the near miss
Part parse_part(std::string_view name, std::string_view where);

}  // namespace tsrun
